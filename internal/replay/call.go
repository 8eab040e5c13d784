package replay

import (
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/health"
	"baton.dev/baton/internal/ledger"
)

// serve begins as many calls as the server has room for.
func (s *simulation) serve(v *server) {
	for v.free > 0 {
		j, ok := v.next()
		if !ok {
			return
		}
		s.begin(v, j)
	}
}

// begin begins the call of an attempt, or says why it cannot, as package infer does.
func (s *simulation) begin(v *server, j job) {
	if !j.in.Expiry.IsZero() && !s.now.Before(j.in.Expiry) {
		s.fail(j, events.CodeExpired)
		return
	}
	probe, ok := s.health.Admit(s.ctx, v.target.Name)
	if !ok {
		s.fail(j, events.CodeBreakerOpen)
		return
	}
	o := s.outcome(v, j)
	v.free--
	s.at(s.now.Add(o.service), func() {
		v.free++
		s.health.Report(health.Outcome{
			Target: v.target.Name, Code: told(v, o), At: s.now, Latency: o.service, Probe: probe,
		})
		s.called(v, j, o)
		s.serve(v)
	})
}

// hanging is how long a call must have taken that a deadline cut short, to count as one that timed out, as in package infer.
const hanging = 10 * time.Second

// told returns the code that health is told of.
func told(v *server, o outcome) string {
	if o.code == events.CodeDeadline && o.service >= min(hanging, v.target.Timeout/2) {
		return events.CodeTimeout
	}
	return o.code
}

// outcome returns how the call goes that begins now: as drawn, unless the target's timeout or the request's deadline ends it.
func (s *simulation) outcome(v *server, j job) outcome {
	f, name := j.flow, v.target.Name
	n := f.calls[name]
	if j.in.Shadow {
		n = maxAttempt // never one that the request made itself
	} else {
		f.calls[name]++
	}
	o := v.drawer.draw(f.message.ID, name, n, s.now, s.seed)
	if f.refused != nil {
		o = *f.refused
	}
	if timeout := v.target.Timeout; timeout > 0 && o.service > timeout {
		o.service, o.code = timeout, events.CodeTimeout
	}
	if left := j.in.Expiry.Sub(s.now); !j.in.Expiry.IsZero() && o.service > left {
		o.service, o.code = left, events.CodeDeadline
	}
	return o
}

// called notes how a call went, and lets what follows from it happen. Nothing follows from a shadow's but its cost.
func (s *simulation) called(v *server, j job, o outcome) {
	f := j.flow
	if o.code == "" {
		s.book.account(v.target.Name).cost += ledger.Cost(v.target.Price, f.usage)
	}
	if j.in.Shadow {
		s.book.account(v.target.Name).shadows++
		return
	}
	s.book.attempt(v.target.Name, o.code, o.service)
	f.calling += o.service
	if o.code != "" {
		s.fail(j, o.code)
		return
	}
	s.keep(v, j)
	s.end(f, "", false)
}

// keep stores the answer where an equal request may take it, and lets those go on that wait for it.
func (s *simulation) keep(v *server, j job) {
	key := j.in.CacheKey
	if key == "" {
		return
	}
	r := events.Result{
		Status: events.StatusCompleted, ModelID: j.in.Model, Target: v.target.Name, Output: "an answer", Usage: &j.flow.usage,
		Timings: events.Timings{CompletedAt: s.now},
	}
	if end := j.flow.message.End; end != nil {
		r.FinishReason = end.FinishReason
	}
	var ttl time.Duration
	if model, ok := s.catalog.Models[j.in.Model]; ok {
		ttl = model.Cache
	}
	s.answers.Keep(s.ctx, key, j.in.Subject, r, ttl)
}

// fail has the scheduler decide about an attempt that failed, or was not begun.
func (s *simulation) fail(j job, code string) {
	if j.in.Shadow {
		return
	}
	out := j.in.Next(events.Infer, events.AttemptFailed, j.in.Attempt, s.now)
	out.ErrorCode = code
	if code != events.CodeBreakerOpen {
		out.Tried = append(slices.Clone(j.in.Tried), j.in.Target)
	}
	if events.Begun(code) {
		out.Begun++
	}
	s.consider(j.flow, out)
}
