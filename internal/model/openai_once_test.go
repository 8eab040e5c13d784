package model_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func TestOpenAIKeepsTime(t *testing.T) {
	t.Parallel()
	drip := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		pace := time.NewTicker(time.Millisecond) // a minute to the limit of the body
		defer pace.Stop()
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			<-pace.C
		}
	}
	for name, serve := range map[string]http.HandlerFunc{"that hangs": hang, "that drips": drip} {
		t.Run("a server "+name+" is given up after the target's timeout", func(t *testing.T) {
			t.Parallel()
			client, call := setup(t, serve)
			call.Target.Timeout = 20 * time.Millisecond
			_, err := client.Call(t.Context(), call)
			wantCode(t, err, events.CodeTimeout)
		})
		t.Run("a server "+name+" is given up when the deadline passes", func(t *testing.T) {
			t.Parallel()
			client, call := setup(t, serve)
			call.Expiry = time.Now().Add(20 * time.Millisecond)
			_, err := client.Call(t.Context(), call)
			wantCode(t, err, events.CodeDeadline)
		})
	}
	t.Run("no call is made after the deadline", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		call.Expiry = time.Now().Add(-time.Second)
		_, err := client.Call(t.Context(), call)
		wantCode(t, err, events.CodeDeadline)
	})
	t.Run("the end of the process is no failure of the target", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			cancel()
			hang(w, r)
		})
		_, err := client.Call(ctx, call)
		if _, ok := errors.AsType[*model.Error](err); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpenAICallsOnce(t *testing.T) {
	t.Parallel()
	t.Run("a broken connection that was reused is not tried again", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int64
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if calls.Add(1) == 1 {
				_, _ = io.WriteString(w, completion)
				return
			}
			hijack(w, "") // the server dies over the second request
		})
		if _, err := client.Call(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		_, err := client.Call(t.Context(), call)
		wantCode(t, err, events.CodeUnreachable)
		if n := calls.Load(); n != 2 {
			t.Errorf("the server was called %d times for 2 calls", n)
		}
	})
	t.Run("connections are kept for as many calls as there are at once", func(t *testing.T) {
		t.Parallel()
		const width, rounds = 32, 8
		var mu sync.Mutex
		from := map[string]bool{}
		var arrived sync.WaitGroup
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			from[r.RemoteAddr] = true
			mu.Unlock()
			arrived.Done()
			arrived.Wait() // all calls of a round are open at once
			_, _ = io.WriteString(w, completion)
		})
		for range rounds {
			arrived.Add(width)
			var calls sync.WaitGroup
			for range width {
				calls.Go(func() {
					if _, err := client.Call(t.Context(), call); err != nil {
						t.Error(err)
					}
				})
			}
			calls.Wait()
		}
		// A connection may come back to the pool after its successor was dialed, so some more than width are fine. The
		// default transport, which keeps 2, dials for nearly every call.
		if len(from) > width*rounds/2 {
			t.Errorf("%d connections for %d calls at once", len(from), width)
		}
	})
}
