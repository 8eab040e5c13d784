package infer

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
)

// Answers is where the answers for equal requests are kept, and who is the one to make the call for all. See
// [answers.Answers].
type Answers interface {
	Knowing
	Leading
}

// Knowing is what is known of answers. Alone reports whether that is of this process alone.
type Knowing interface {
	Alone() bool
	Get(ctx context.Context, key string) (answers.Answer, bool)
	Keep(ctx context.Context, key, messageID string, r events.Result, ttl time.Duration)
}

// Leading is who calls for all.
type Leading interface {
	Lead(ctx context.Context, key, messageID string, ttl time.Duration) bool
	Land(ctx context.Context, key, messageID string)
	Apart(ctx context.Context, key, messageID string)
}

// flights are the cache keys that this process is answering, each with what is closed when it is done.
type flights struct {
	mu    sync.Mutex
	under map[string]chan struct{}
}

// lead makes the caller the one that answers for the key, until done is called, or returns what to wait for.
func (f *flights) lead(key string) (done func(), wait <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if under, ok := f.under[key]; ok {
		return nil, under
	}
	if f.under == nil {
		f.under = map[string]chan struct{}{}
	}
	landed := make(chan struct{})
	f.under[key] = landed
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.under, key)
		close(landed)
	}, nil
}

// equal answers a request by what an equal one got meanwhile. Where nothing is shared, and so schedule, perhaps another process,
// knows nothing, it also lets one call for all that are equal and here: the others wait for it once, for half of their time at
// most. Without an answer it returns what is to be called when the request has been answered, or not.
func (f *function) equal(ctx context.Context, in events.Event, req events.Request) (_ *outcome, done func(), _ error) {
	done = func() {}
	if in.CacheKey == "" || f.Answers == nil {
		return nil, done, nil
	}
	if a, ok := f.Answers.Get(ctx, in.CacheKey); ok {
		return f.equally(in, req, a)
	}
	if !f.Answers.Alone() {
		return nil, done, nil
	}
	lead, wait := f.flights.lead(in.CacheKey)
	if wait == nil {
		return nil, lead, nil
	}
	var late <-chan time.Time
	if !in.Expiry.IsZero() {
		timer := time.NewTimer(in.Expiry.Sub(f.Now()) / 2)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-wait:
	case <-late:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("infer: %s waits for an equal request: %w", in.ID, ctx.Err())
	}
	if a, ok := f.Answers.Get(ctx, in.CacheKey); ok {
		return f.equally(in, req, a)
	}
	return nil, done, nil
}

// equally returns the outcome of a request that is answered by what an equal one got.
func (f *function) equally(in events.Event, req events.Request, a answers.Answer) (*outcome, func(), error) {
	data, err := a.Result(in, req, f.Now()).Encode()
	return &outcome{data: data}, nil, err
}

// leadTime is how long a lead is held without being renewed.
const leadTime = 2 * time.Minute

// leads keeps the lead of the request, if it has one, until stop is called: while it waits for a place, and while it is called.
func (f *function) leads(ctx context.Context, in events.Event) (stop func()) {
	if in.CacheKey == "" || f.Answers == nil || f.Answers.Alone() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(leadTime / 3)
		defer tick.Stop()
		for ctx.Err() == nil {
			ttl := leadTime
			if !in.Expiry.IsZero() {
				ttl = min(ttl, in.Expiry.Sub(f.Now()))
			}
			f.Answers.Lead(ctx, in.CacheKey, in.Subject, ttl)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		renewing.Wait()
	}
}

// keep keeps the answer for equal requests, if it may be, and lets those that wait for it go. After a failure the request
// leads on: schedule decides what follows.
func (f *function) keep(ctx context.Context, in events.Event, req events.Request, o outcome) {
	if in.CacheKey == "" || f.Answers == nil || o.Code != "" {
		return
	}
	var r events.Result
	model, ok := f.Catalog().Models[in.Model]
	// The configuration may have changed since the key was made: then the answer is of another making.
	stale := ok && f.CacheKey != nil && f.CacheKey(in.Tenant, model, req) != in.CacheKey
	if !ok || stale || json.Unmarshal(o.data, &r) != nil {
		f.Answers.Apart(ctx, in.CacheKey, in.Subject)
		return
	}
	f.Answers.Keep(ctx, in.CacheKey, in.Subject, r, model.Cache)
}

// land ends the lead of a request, which others wait for.
func (f *function) land(ctx context.Context, in events.Event) {
	if in.CacheKey != "" && f.Answers != nil {
		f.Answers.Land(ctx, in.CacheKey, in.Subject)
	}
}
