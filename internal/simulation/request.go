package simulation

import (
	"fmt"
	"time"

	"baton.dev/baton/events"
)

// request is one that a caller sends.
type request struct {
	n        int
	tenant   string
	model    string
	prompt   string
	priority events.Priority
	receiver string        // the host of its callback; empty: none
	deadline time.Duration // 0: the configuration's
	at       time.Duration // when it is sent
	again    time.Duration // when the same is sent once more; 0: never
	cancel   time.Duration // after it was accepted; 0: never
	refused  bool          // the models refuse it
}

func question(n int) string { return fmt.Sprintf("question %d", n) }

// maxRequests is more than a world has.
const maxRequests = 1000

// ask draws the requests.
func (r *drawing) ask() {
	n := 5 + r.IntN(8)
	if r.one(6) {
		n += r.IntN(28)
	}
	for i := range n {
		r.s.requests = append(r.s.requests, r.request(i))
	}
}

func (r *drawing) request(n int) request {
	q := request{
		n: n, tenant: oneOf(r, r.tenants...), model: oneOf(r, r.models...),
		prompt:   question(r.IntN(4)),
		priority: oneOf(r, events.Priorities()...),
		receiver: oneOf(r, "", "one.example.com", "one.example.com", "two.example.com"),
		at:       r.duration(0, r.s.faults),
	}
	switch r.IntN(4) {
	case 0: // with others, at once
		q.at = r.s.faults / 3
	case 1:
		q.at = 0
	}
	if r.one(2) {
		q.deadline = r.duration(time.Second, 90*time.Second)
	}
	if r.one(5) {
		q.again = q.at + r.duration(0, 10*time.Second)
	}
	if r.one(5) {
		q.cancel = r.duration(0, 5*time.Second)
	}
	q.refused = r.one(30)
	return q
}

// flood has many requests come at once, nearly all of a high priority, with a few of a low one among them.
func (r *drawing) flood() {
	r.s.requests = nil
	at := r.duration(0, r.s.faults/2)
	tenants := oneOf(r, r.tenants, r.tenants[:1])
	for i := range 30 + r.IntN(40) {
		q := r.request(i)
		q.tenant, q.model, q.at, q.again, q.cancel = oneOf(r, tenants...), r.models[0], at+r.duration(0, time.Second), 0, 0
		q.priority = events.High
		if r.one(10) {
			q.priority = events.Low
		}
		if q.deadline > 0 {
			q.deadline += time.Minute
		}
		r.s.requests = append(r.s.requests, q)
	}
	for _, t := range r.s.catalogs[0].Tenants {
		t.Rate, t.Queued = 0, 0
	}
}

// burst has equal requests come at once, to models that keep their answers and have nobody to stand in for them, in a calm
// world.
func (r *drawing) burst() {
	r.s.calm = true
	first := r.s.catalogs[0]
	r.s.catalogs = r.s.catalogs[:1]
	first.Limits.Deadline = r.duration(30*time.Second, 90*time.Second)
	for _, id := range r.models {
		m := first.Models[id]
		m.Cache, m.Fallback = r.duration(10*time.Second, time.Minute), nil
		for _, t := range m.Targets {
			t.Canary, t.Shadow = 0, 0
		}
	}
	bursts := 1 + r.IntN(3)
	times := []time.Duration{r.duration(0, r.s.faults), r.duration(0, r.s.faults), r.duration(0, r.s.faults)}
	for i := range r.s.requests {
		q := &r.s.requests[i]
		q.at, q.prompt = times[i%bursts], question(0)
	}
}
