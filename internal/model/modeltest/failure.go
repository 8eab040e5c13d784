package modeltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func refusalsClassified(t *testing.T, k Kind) {
	if len(k.Refusals) == 0 {
		t.Fatal("the kind has no refusals")
	}
	for _, r := range k.Refusals {
		t.Run(r.Name+" is "+r.Code, func(t *testing.T) {
			t.Parallel()
			const wait = 30 * time.Second
			w := setup(t, k, func(context.Context, Seen) Script { return Script{Refuse: r.Do, RetryIn: wait, Words: "it is so"} })
			var deltas []model.Delta
			for _, call := range []model.Call{w.ask("p"), w.streamed("p", &deltas)} {
				before := time.Now()
				e := w.fails(call, r.Code, true)
				if e.Status == 0 {
					t.Error("a refusal has no status")
				}
				after := time.Now()
				if said := !e.RetryAt.IsZero(); said != r.Retry {
					t.Errorf("it takes calls again at %v", e.RetryAt)
				} else if said && (e.RetryAt.Before(before.Add(wait)) || e.RetryAt.After(after.Add(wait))) {
					t.Errorf("it takes calls again at %v, %v after the call", e.RetryAt, e.RetryAt.Sub(after))
				}
			}
			if len(deltas) != 0 {
				t.Errorf("a refusal has deltas: %v", deltas)
			}
			w.called(2)
		})
	}
}

func wordsGuarded(t *testing.T, k Kind) {
	for _, r := range k.Refusals {
		const words = "the server's\nown\x00 words"
		w := setup(t, k, func(context.Context, Seen) Script { return Script{Refuse: r.Do, Words: words} })
		_, err := w.call(w.ask("p"))
		e, ok := errors.AsType[*model.Error](err)
		if !ok {
			t.Fatalf("%s: %v", r.Name, err)
		}
		passed := strings.Contains(e.Message, "words")
		if passed != events.CallersFault(r.Code) || strings.ContainsAny(e.Message, "\n\x00") {
			t.Errorf("%s: the caller is told %q", r.Name, e.Message)
		}
		if strings.Contains(e.Error(), "words") {
			t.Errorf("%s: the log says %q", r.Name, e.Error())
		}
	}
}

func secretsKept(t *testing.T, k Kind) {
	for _, r := range k.Refusals {
		w := setup(t, k, func(_ context.Context, s Seen) Script {
			return Script{Refuse: r.Do, Words: "no " + s.Credential + " here"}
		})
		w.fails(w.ask(secretText), r.Code, true)
	}
	w := setup(t, k, says("yes"))
	w.wire.down()
	w.fails(w.ask(secretText), events.CodeUnreachable, false)
}

// mute is a server that reads a call and says nothing until the client is gone, which it tells by closing gone.
func mute(gone chan struct{}) func(context.Context, Seen) Script {
	var once sync.Once
	return func(ctx context.Context, _ Seen) Script {
		return Script{Pieces: []string{"late"}, Before: func(n int) {
			if n == 0 {
				<-ctx.Done()
				once.Do(func() { close(gone) })
			}
		}}
	}
}

func timesOut(t *testing.T, k Kind) {
	gone := make(chan struct{})
	w := setup(t, k, mute(gone))
	w.target.Timeout = 200 * time.Millisecond
	w.fails(w.ask("p"), events.CodeTimeout, true)
	w.within(gone, "the server does not see that the client is gone")
	w.called(1)
}

func dripTimesOut(t *testing.T, k Kind) {
	w := setup(t, k, func(ctx context.Context, _ Seen) Script {
		return Script{Pieces: make([]string, 1<<16), Before: func(int) {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}}
	})
	w.target.Timeout = 300 * time.Millisecond
	var deltas []model.Delta
	w.fails(w.streamed("p", &deltas), events.CodeTimeout, true)
	w.called(1)
}

func deadlinePasses(t *testing.T, k Kind) {
	gone := make(chan struct{})
	w := setup(t, k, mute(gone))
	call := w.ask("p")
	call.Expiry = time.Now().Add(200 * time.Millisecond)
	w.fails(call, events.CodeDeadline, true)
	w.within(gone, "the server does not see that the client is gone")
}

func expiredNotCalled(t *testing.T, k Kind) {
	w := setup(t, k, says("yes"))
	call := w.ask("p")
	call.Expiry = time.Now().Add(-time.Second)
	w.fails(call, events.CodeDeadline, false)
	w.called(0)
}

func cancelSeen(t *testing.T, k Kind) {
	gone := make(chan struct{})
	begun := make(chan struct{})
	serve := mute(gone)
	w := setup(t, k, func(ctx context.Context, s Seen) Script {
		close(begun)
		return serve(ctx, s)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := w.client.Call(ctx, w.ask("p"))
	if _, failed := errors.AsType[*model.Error](err); failed || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.within(gone, "the server does not see that the call was canceled")
}
