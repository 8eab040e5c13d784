package ingest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/tally"
)

// Budget says whether a tenant may spend more.
type Budget interface {
	// Spent reports whether anything of the tenant's budget is left, and when the period ends that it is for. It is asked
	// for tenants that have a budget.
	Spent(ctx context.Context, tenant *catalog.Tenant) (left bool, ends time.Time, err error)
}

// leaveTimeout bounds how long an answer waits for a tally to be corrected, which its caller may not wait for.
const leaveTimeout = time.Second

// Limited is what a route that takes submissions is asked first, for one that learns of its tenant by itself: it counts the
// request against the rate of the exchange's tenant, and returns the problem of one that is too fast, or nil.
func (s *Server) Limited(x *Exchange, r *http.Request) *problem.Problem { return s.limited(x, r) }

// limited is the problem of a tenant that submits faster than its rate, or nil. Every answer to a tenant with a rate says
// what is left of it. What is answered here was not read: a request counts whatever is in it, and the same one again too.
func (s *Server) limited(x *Exchange, r *http.Request) *problem.Problem {
	if s.cfg.Limit == nil {
		return nil
	}
	answer, counted := s.cfg.Limit.Take(r.Context(), x.Tenant)
	if !counted {
		return nil
	}
	x.Header().Set("RateLimit-Policy", answer.Rate.Policy())
	x.Header().Set("RateLimit", answer.Field())
	if answer.Allowed {
		return nil
	}
	return problem.New(problem.RateLimited, "The tenant's requests come faster than its rate allows; RateLimit-Policy says it.").
		With("Retry-After", answer.RetryAfter())
}

// admit says why a valid request is not accepted all the same, or enters it into its tenant's tally. One that was accepted
// before is never refused: its caller is told the same again, and nothing is left to be refused.
func (s *Server) admit(
	ctx context.Context, c *Caller, messageID string, e events.Event,
) (tally.Entry, *problem.Problem) {
	p := s.refused(ctx, c, e)
	entry := tally.Present
	if p == nil && s.cfg.Tally != nil {
		if entry = s.cfg.Tally.Enter(ctx, c.Tenant, messageID, e.Expiry); entry == tally.Full {
			p = problem.New(problem.QueueFull, fmt.Sprintf(
				"%d of the tenant's requests are accepted and have not ended, which is as many as may be.", c.Tenant.Queued)).
				With("Retry-After", retryAfter)
		}
	}
	if p == nil {
		return entry, nil
	}
	if _, err := s.cfg.Results.Look(ctx, messageID); err == nil {
		return tally.Present, nil
	}
	return tally.Full, p
}

// refused is the problem of a request whose tenant has spent its budget, or that would wait past its deadline; or nil.
func (s *Server) refused(ctx context.Context, c *Caller, e events.Event) *problem.Problem {
	if s.cfg.Budget != nil && c.Tenant.Budget.Amount > 0 {
		switch left, ends, err := s.cfg.Budget.Spent(ctx, c.Tenant); {
		case err != nil:
			s.cfg.Log.Error("budget is not known", "tenant", c.Tenant.Name, "error", err)
			return problem.New(problem.Unavailable, "What is left of the tenant's budget is not known now.").
				With("Retry-After", retryAfter)
		case !left:
			return problem.New(problem.BudgetSpent, "The tenant's budget is spent until "+ends.UTC().Format(time.RFC3339)+".").
				With("Retry-After", inSeconds(ends.Sub(s.now())))
		}
	}
	if s.cfg.Admission == nil {
		return nil
	}
	wait := s.cfg.Admission.Wait(c.Catalog, c.Catalog.Models[e.Model], c.Tenant.Name, e.Priority)
	if left := e.Expiry.Sub(s.now()); wait > left {
		return problem.New(problem.WouldMissDeadline, fmt.Sprintf(
			"The request would wait about %s for a model, and its deadline is in %s.", inWords(wait), inWords(left))).
			With("Retry-After", inSeconds(wait-left))
	}
	return nil
}

// uncount takes a request out of the tally that is not under way: it could not be stored, or it has ended before. One that
// was in before and is under way stays, whatever its repeat was told.
func (s *Server) uncount(
	ctx context.Context, c *Caller, messageID string, entry tally.Entry, p *problem.Problem, stands events.Status,
) {
	stored := p == nil && !terminal(stands)
	if s.cfg.Tally == nil || stored || entry != tally.Entered && !terminal(stands) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	s.cfg.Tally.Leave(ctx, c.Tenant, messageID)
}

func terminal(stands events.Status) bool {
	return stands == events.StatusCompleted || stands == events.StatusFailed || stands == events.StatusCanceled
}

// inSeconds returns a duration as delta-seconds (RFC 9110, section 10.2.3), rounded up and 1 at least.
func inSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max((d+time.Second-1)/time.Second, 1)), 10)
}

// inWords returns a duration as a person reads it.
func inWords(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
