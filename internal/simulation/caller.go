package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
)

// caller is who sends one request, once or twice, and may cancel it.
type caller struct {
	request
	world   *World
	id      string // of the message
	body    []byte
	visits  []*visit  // at doors
	told    bool      // 202
	taken   time.Time // when the visit began that was first to write that it is accepted; zero: none did
	refusal problem.Word
	confirm time.Time // when its cancel was confirmed; zero: it was not
}

func (w *World) newCaller(q request) *caller {
	requestID := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, w.seed, q.n)).String()
	r := events.Request{
		RequestID: requestID, ModelID: q.model, Prompt: &q.prompt, Priority: q.priority, DeadlineSeconds: q.deadline.Seconds(),
	}
	if q.receiver != "" {
		r.CallbackURL = "https://" + q.receiver + "/done"
	}
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // it is strings and numbers
	}
	return &caller{request: q, world: w, id: events.MessageID(q.tenant, requestID), body: body}
}

// asked is what an answer to the request depends on.
func (c *caller) asked() events.Request { return events.Request{ModelID: c.model, Prompt: &c.prompt} }

// name is what the caller's turns are called.
func (c *caller) name() string { return fmt.Sprintf("request %d", c.n) }

// turn waits for the caller's turn, after a pause. It reports false when the world is over.
func (c *caller) turn(what string, pause time.Duration) bool {
	w := c.world
	return w.await(w.ctx, &effect{
		kind: Turn, subject: c.name() + what, due: time.Now().Add(pause), do: func() error { return nil },
	}) == nil
}

// patience is how often a caller sends a request that was not taken; brief is how often one that is told that it will not
// be for long.
const (
	patience = 60
	brief    = 3
)

// send sends the request until it is taken. A caller that was told nothing, or that it comes too early, asks again.
func (c *caller) send(after time.Duration, what string) {
	w := c.world
	hopeless := 0
	for try := range patience {
		if !c.turn(what, after) {
			return
		}
		after = w.chance.between(c.name()+what, try, 100*time.Millisecond, 2*time.Second)
		p := w.alive(c.name()+what, try)
		if p == nil {
			continue
		}
		known := w.isKnown(c.id)
		v := &visit{}
		c.visits = append(c.visits, v)
		a := p.ask(http.MethodPost, "/v1/inferences", c.tenant, c.body, v)
		if a == nil {
			continue
		}
		w.answersAtTheDoor(c, v, a, known)
		switch c.refusal = a.problem(); c.refusal {
		case "":
			c.told = true
			return
		case problem.BudgetSpent, problem.WouldMissDeadline:
			hopeless++
			if hopeless == brief {
				return
			}
		case problem.QueueFull:
			after *= 3
		default:
		}
	}
}

// cancelLater cancels the request a while after it was sent, and asks until it is told how it stands.
func (c *caller) cancelLater() {
	w := c.world
	after := c.at + c.cancel
	for try := range patience {
		if !c.turn(cancels, after) {
			return
		}
		after = w.chance.between(c.name()+cancels, try, 100*time.Millisecond, 2*time.Second)
		p := w.alive(c.name()+cancels, try)
		if p == nil {
			continue
		}
		a := p.ask(http.MethodDelete, "/v1/inferences/"+c.id, c.tenant, nil, &visit{})
		switch {
		case a == nil, a.status == http.StatusServiceUnavailable:
			continue
		case a.status == http.StatusNotFound:
			return // it came before the request
		case a.status != http.StatusOK:
			w.suspectf(contract, c.id, "%s cancels and is answered %d", c.name(), a.status)
			return
		}
		var state struct {
			Status events.Status `json:"status"`
		}
		if json.Unmarshal(a.body.Bytes(), &state) == nil && state.Status == events.StatusCanceled {
			c.confirm = time.Now()
		}
		return
	}
}
