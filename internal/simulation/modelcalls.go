package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
	"baton.dev/baton/internal/model"
)

// models is the models as a process calls them. It holds to the contract of a client: one call, no longer than the target's
// timeout and the request's deadline, over when ctx is.
type models struct{ by *process }

// call is one call of a model: when it was begun by a process, and how it ended.
type call struct {
	by      *process
	event   string // the id of the attempt
	shadow  bool
	message string
	target  string
	began   time.Time
	ended   time.Time // zero: it goes on
	good    time.Time // when it was answered; zero: it was not
	expiry  time.Time // no attempt of the request begins after
	token   int64     // of its lease; 0: it has none that is shared
	cost    catalog.Money
}

// Call implements [infer.Models].
func (m models) Call(ctx context.Context, c model.Call) (model.Answer, error) {
	w := m.by.world
	if w.queue.isGone(m.by) {
		return model.Answer{}, errGone
	}
	began := time.Now()
	message, _, _ := strings.Cut(c.ID, "-scheduled-")
	made := &call{
		by: m.by, event: c.ID, shadow: strings.HasSuffix(c.ID, "-shadow"), message: message, target: c.Target.Name, began: began,
		expiry: c.Expiry,
	}
	n := 0
	err := w.await(ctx, &effect{by: m.by, kind: Call, subject: c.Target.Name + " for " + c.ID, do: func() error {
		made.token = m.by.tokens[made.event]
		w.beginsInTime(made, c)
		w.oneExecutionAtATime(made)
		w.callsOnce(made)
		w.calls = append(w.calls, made)
		n = len(w.calls)
		return nil
	}})
	if err != nil {
		return model.Answer{}, fmt.Errorf("simulation: call: %w", err)
	}
	defer func() { made.ended = time.Now() }()
	answer, refusal, due := w.answer(c, message, n, began)
	end := began.Add(c.Target.Timeout)
	code := events.CodeTimeout
	if !c.Expiry.IsZero() && c.Expiry.Before(end) {
		end, code = c.Expiry, events.CodeDeadline
	}
	if due.After(end) {
		due, refusal = end, model.NewError(code, nil)
	}
	err = w.await(ctx, &effect{by: m.by, kind: Answer, subject: c.Target.Name + " for " + c.ID, due: due, do: func() error {
		if refusal != nil {
			w.notef("%s", refusal.Code)
		} else {
			w.notef("%s", answer.Output)
			made.good = time.Now()
			made.cost = ledger.Cost(c.Target.Price, *answer.Usage)
		}
		return nil
	}})
	switch {
	case err != nil:
		return model.Answer{}, fmt.Errorf("simulation: call: %w", err)
	case refusal != nil:
		refusal.Target = c.Target.Name
		return model.Answer{}, refusal
	}
	return answer, nil
}

// never is longer than any timeout.
const never = 24 * time.Hour

// answer is what the target's model says to the n-th call of the world, and when. No two calls get the same answer.
func (w *World) answer(c model.Call, message string, n int, now time.Time) (a model.Answer, refusal *model.Error, due time.Time) {
	name := c.Target.Name
	latency := func(least, most time.Duration) time.Time {
		return now.Add(w.chance.between("latency "+c.ID, n, least, most))
	}
	refuse := func(code string, retry time.Duration) (model.Answer, *model.Error, time.Time) {
		e := model.NewError(code, nil)
		e.Status = 500 // whatever it is, the server has answered
		due := latency(5*time.Millisecond, 50*time.Millisecond)
		if retry > 0 {
			e.RetryAt = due.Add(retry)
		}
		return model.Answer{}, e, due
	}
	if q := w.requests[message]; q != nil && q.refused {
		return refuse(events.CodeInvalidRequest, 0)
	}
	due = latency(50*time.Millisecond, 800*time.Millisecond)
	mode := "well"
	if w.faulty() {
		mode = modeAt(w.scenario.targets[name], now.Sub(w.began))
	}
	switch mode {
	case "slow":
		due = latency(500*time.Millisecond, 15*time.Second)
	case "failing":
		return refuse(events.CodeUnavailable, 0)
	case "flapping":
		if now.Sub(w.began)/time.Second%4 < 2 {
			return refuse(events.CodeUnreachable, 0)
		}
	case "limited":
		return refuse(events.CodeRateLimited, w.chance.between("retry "+c.ID, n, time.Second, 10*time.Second))
	case "spent":
		return refuse(events.CodeQuotaExhausted, w.chance.between("retry "+c.ID, n, 10*time.Second, time.Minute))
	case "hanging":
		return a, nil, now.Add(never)
	case "useless":
		return refuse(events.CodeUnusableOutput, 0)
	case "locked":
		return refuse(events.CodeUnauthorized, 0)
	}
	return model.Answer{
		Output:       fmt.Sprintf("%s, call %d", w.question(message, c.Request), n),
		Message:      json.RawMessage(`{"role":"assistant"}`),
		FinishReason: "stop",
		Usage:        &events.Usage{PromptTokens: 10, CompletionTokens: 5 + n%7, TotalTokens: 15 + n%7},
	}, nil, due
}

// question is what an answer depends on: the same for two requests only if they may have the same answer.
func (w *World) question(message string, r events.Request) string {
	tenant := ""
	if q := w.requests[message]; q != nil {
		tenant = q.tenant
	}
	prompt := ""
	if r.Prompt != nil {
		prompt = *r.Prompt
	}
	return fmt.Sprintf("to %s of %s: %s", r.ModelID, tenant, prompt)
}
