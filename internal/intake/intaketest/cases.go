package intaketest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/problem"
)

func eachMode(t *testing.T, r *rig) {
	structured := func(id, says string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/shop","type":%q,"data":%s}`, id, events.Requested, request(says))
	}
	r.start(t)
	r.Send(t, search, Message{Data: request("plain é 😀")})
	r.Send(t, search, Message{ContentType: "application/json", Data: request("typed")})
	r.Send(t, search, Message{ContentType: "application/cloudevents+json", Data: structured("s", "structured")})
	r.Send(t, search, Message{Data: structured("u", "guessed")})
	r.Send(t, search, Message{ContentType: "application/json", Data: request("binary"), Attributes: map[string]string{
		"specversion": "1.0", "id": "b", "source": "/shop", "type": string(events.Requested), "priority": "low", "shop": "seven",
	}})
	r.Send(t, other, Message{Data: request("of another")})
	r.eventuallySettled(t, search, other)
	eventually(t, "all are taken", func() bool { return r.outcomes(intake.Accepted) >= 6 })
	got := r.requests(t)
	for _, says := range []string{"plain é 😀", "typed", "structured", "guessed", "binary", "of another"} {
		if contains(got, says) != 1 {
			t.Errorf("%d requests say %q", contains(got, says), says)
		}
	}
	for _, e := range got {
		want := search
		if strings.Contains(string(e.Data), "of another") {
			want = other
		}
		if e.Tenant != want || e.Type != events.Requested {
			t.Errorf("the request %s is of %s", e.Data, e.Tenant)
		}
		if strings.Contains(string(e.Data), "binary") && (e.Priority != events.Low || e.Extra["shop"] != "seven") {
			t.Errorf("the attributes are %+v", e)
		}
	}
	if len(got) != 6 || len(r.deadLetters(t)) > 0 {
		t.Errorf("%d requests, and dead letters %v", len(got), r.deadLetters(t))
	}
}

func refused(t *testing.T, r *rig) {
	r.start(t)
	r.Send(t, search, Message{Data: `{"model_id":"none","prompt":"p","mystery":1}`})
	r.Send(t, search, Message{Data: "no JSON"})
	r.Send(t, search, Message{ContentType: "text/plain", Data: request("typed")})
	r.Send(t, search, Message{Data: request(strings.Repeat("x", 17<<10))})
	r.Send(t, search, Message{Data: request("good")})
	r.eventuallySettled(t, search)
	eventually(t, "four are dead", func() bool { return len(r.deadLetters(t)) >= 4 })
	letters := r.deadLetters(t)
	codes := map[string]string{}
	for _, e := range letters {
		codes[e.ErrorCode] = e.Dead.Detail
		if e.Tenant != search || e.Dead.Hop != events.Ingest || e.Dead.Reason != events.ReasonRefused || len(e.Data) == 0 || e.Dead.Time.IsZero() {
			t.Errorf("the dead letter is %+v", e)
		}
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		if _, err := e.Redrive().Lane(); err == nil {
			t.Error("a dead letter can be redriven past the door")
		}
	}
	for code, says := range map[string]string{
		"invalid": "/mystery", "malformed": "JSON", "unsupported-media-type": "text/plain", "too-large": "limit",
	} {
		if !strings.Contains(codes[code], says) {
			t.Errorf("the dead letter of %s says %q, not %q", code, codes[code], says)
		}
	}
	if got := r.requests(t); len(letters) != 4 || len(got) != 1 {
		t.Errorf("%d dead letters, %d requests", len(letters), len(got))
	}
}

var errAway = errors.New("away")

func passing(t *testing.T, r *rig) {
	var tries atomic.Int32
	r.failing(func(events.Event) error {
		if tries.Add(1) <= 3 {
			return errAway
		}
		return nil
	})
	r.start(t)
	r.Send(t, search, Message{Data: request("patience")})
	eventually(t, "the request is taken", func() bool { return r.outcomes(intake.Accepted) == 1 })
	r.eventuallySettled(t, search)
	if got := r.requests(t); len(got) != 1 || r.outcomes(intake.Returned) < 3 || len(r.deadLetters(t)) > 0 {
		t.Errorf("%d requests, returned %d times", len(got), r.outcomes(intake.Returned))
	}
}

func unburied(t *testing.T, r *rig) {
	var tries atomic.Int32
	r.failing(func(e events.Event) error {
		if e.Dead != nil && tries.Add(1) <= 2 {
			return errAway
		}
		return nil
	})
	r.start(t)
	r.Send(t, search, Message{Data: "no JSON"})
	eventually(t, "the dead letter is stored", func() bool { return len(r.deadLetters(t)) == 1 })
	r.eventuallySettled(t, search)
	if r.outcomes(intake.Returned) < 2 {
		t.Errorf("returned %d times", r.outcomes(intake.Returned))
	}
	// A letter whose bytes the transport has no room for goes without them.
	r.failing(func(e events.Event) error {
		if len(e.Data) > 100 {
			return hop.ErrTooLarge
		}
		return nil
	})
	r.Send(t, search, Message{Data: strings.Repeat("no JSON ", 100)})
	eventually(t, "the second is stored", func() bool { return len(r.deadLetters(t)) == 2 })
	if e := r.deadLetters(t)[1]; len(e.Data) > 0 || !strings.Contains(e.Dead.Detail, "800 bytes are not kept") {
		t.Errorf("%+v", e.Dead)
	}
}

// repeated has a process die between storing a request and settling its message.
func repeated(t *testing.T, r *rig) {
	var first atomic.Pointer[ingest.Receipt]
	reached := make(chan struct{})
	stop := r.start(t, func(cfg *intake.Config) {
		cfg.Kinds = []intake.Kind{deaf{r.Kind(t, r.catalog.Load)}}
		cfg.Door = doorFunc(func(ctx context.Context, tenant *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem) {
			rc, p := r.server.TakeEvent(ctx, tenant, a)
			if p == nil && first.CompareAndSwap(nil, &rc) {
				close(reached)
			}
			return rc, p
		})
	})
	r.Send(t, search, Message{Data: request("once")})
	<-reached
	stop()
	if r.Left(t, search) != 1 {
		t.Fatal("the message is settled, though nobody did")
	}
	var again atomic.Pointer[ingest.Receipt]
	r.start(t, func(cfg *intake.Config) {
		cfg.Door = doorFunc(func(ctx context.Context, tenant *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem) {
			rc, p := r.server.TakeEvent(ctx, tenant, a)
			again.Store(&rc)
			return rc, p
		})
	})
	r.eventuallySettled(t, search)
	eventually(t, "the message came again", func() bool { return again.Load() != nil })
	if *again.Load() != *first.Load() || len(r.requests(t)) != 1 {
		t.Errorf("the repeat is %v, and was %v", *again.Load(), *first.Load())
	}
}

func followed(t *testing.T, r *rig) {
	r.configure(other)
	r.start(t)
	r.Send(t, search, Message{Data: request("early")})
	r.Send(t, other, Message{Data: request("open")})
	r.eventuallySettled(t, other)
	if r.Left(t, search) != 1 {
		t.Fatal("a tenant that takes nothing in had its message taken")
	}
	r.configure(search, other)
	r.eventuallySettled(t, search)
	r.configure(search)
	// The end of the other's intake shows only by what does not happen: its next message stays while search's goes.
	eventually(t, "the other's messages stay", func() bool {
		before := r.Left(t, other)
		r.Send(t, other, Message{Data: request("late")})
		r.Send(t, search, Message{Data: request("more")})
		r.eventuallySettled(t, search)
		return r.Left(t, other) > before
	})
	r.configure(search, other)
	r.eventuallySettled(t, search, other)
	if got := r.requests(t); contains(got, "early") != 1 || contains(got, "open") != 1 || contains(got, "late") < 1 {
		t.Errorf("%d requests", len(got))
	}
}

func drained(t *testing.T, r *rig) {
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	stop := r.start(t, func(cfg *intake.Config) {
		cfg.AtOnce = 1
		cfg.Door = doorFunc(func(ctx context.Context, tenant *catalog.Tenant, a ingest.Arrival) (ingest.Receipt, *problem.Problem) {
			once.Do(func() {
				close(began)
				<-release
			})
			return r.server.TakeEvent(ctx, tenant, a)
		})
	})
	r.Send(t, search, Message{Data: request("begun")})
	<-began
	r.Send(t, search, Message{Data: request("waits")})
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	select {
	case <-stopped:
		t.Error("stopped before what was begun has ended")
	default:
	}
	close(release)
	<-stopped
	if got := r.requests(t); contains(got, "begun") != 1 {
		t.Errorf("what was begun is not stored: %v", got)
	}
	r.start(t)
	r.eventuallySettled(t, search)
	eventually(t, "the rest is taken by the next", func() bool { return r.outcomes(intake.Accepted) >= 2 })
	if r.outcomes(intake.Accepted) != 2 {
		t.Errorf("accepted %d times: what was begun came again", r.outcomes(intake.Accepted))
	}
}

func many(t *testing.T, r *rig) {
	const n = 120
	var mu sync.Mutex
	seen := map[string]bool{}
	r.failing(func(e events.Event) error {
		mu.Lock()
		defer mu.Unlock()
		first := !seen[e.Subject]
		seen[e.Subject] = true
		if first && len(seen)%3 == 0 {
			return errAway
		}
		return nil
	})
	for i := range n {
		r.Send(t, search, Message{Data: request(fmt.Sprintf("number %d.", i))})
	}
	r.start(t)
	r.eventuallySettled(t, search)
	eventually(t, "all are taken", func() bool { return r.outcomes(intake.Accepted) >= n })
	got := r.requests(t)
	for i := range n {
		if says := fmt.Sprintf("number %d.", i); contains(got, says) != 1 {
			t.Errorf("%d requests say %q", contains(got, says), says)
		}
	}
	if len(got) != n {
		t.Errorf("%d requests", len(got))
	}
}

func faulty(t *testing.T, r *rig) {
	var tries atomic.Int32
	r.failing(func(events.Event) error {
		if tries.Add(1) == 1 {
			panic("a fault of ours")
		}
		return nil
	})
	r.start(t)
	r.Send(t, search, Message{Data: request("again")})
	eventually(t, "the request is taken", func() bool { return r.outcomes(intake.Accepted) == 1 })
	r.eventuallySettled(t, search)
	if len(r.deadLetters(t)) > 0 {
		t.Error("it is a dead letter")
	}
}

// deaf is a kind whose broker hears of nothing that is settled, as when the process dies before it says so.
type deaf struct{ intake.Kind }

func (k deaf) Open(ctx context.Context, p intake.Place) (intake.Source, error) {
	s, err := k.Kind.Open(ctx, p)
	return deafSource{s}, err
}

type deafSource struct{ intake.Source }

func (s deafSource) Run(ctx context.Context, take func(intake.Delivery)) error {
	return s.Source.Run(ctx, func(d intake.Delivery) {
		d.Settler = unheard{d.Settler}
		take(d)
	})
}

type unheard struct{ intake.Settler }

func (unheard) Ack(context.Context) error { return nil }
