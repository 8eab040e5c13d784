package infer_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/infer"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// speaks is a model that says two words a second apart, to who wants them, and then the whole.
func speaks(calls *atomic.Int32) modelIn {
	return func(ctx context.Context, call model.Call) (model.Answer, error) {
		calls.Add(1)
		for _, word := range []string{"yes", " no"} {
			time.Sleep(time.Second)
			if call.Delta != nil {
				call.Delta(model.Delta{Text: word, Choices: json.RawMessage(`[{"index":0}]`)})
			}
		}
		return model.Answer{Message: json.RawMessage(`{"role":"assistant","content":"yes no"}`), Output: "yes no"}, ctx.Err()
	}
}

// kept returns the pieces of the message that were sent.
func kept(relay tokens.Relay, messageID string) []tokens.Piece {
	var all []tokens.Piece
	done, cancel := context.WithCancel(context.Background())
	cancel() // it takes what there is
	_ = relay.Follow(done, messageID, tokens.ID{}, nil, func(p tokens.Piece) { all = append(all, p) })
	return all
}

func TestPiecesGoOutWhileTheModelSpeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		relay := tokens.NewMemory()
		w.config.Models, w.config.Tokens = speaks(&w.calls), relay
		in := w.scheduled()
		in.Stream = true
		began := time.Now()
		var came []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = relay.Follow(ctx, in.Subject, tokens.ID{}, nil, func(tokens.Piece) { came = append(came, time.Since(began)) })
		}()
		w.one(infer.New(w.config), in)
		cancel()
		synctest.Wait()
		if want := []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(came, want) {
			t.Errorf("pieces came after %v, want %v", came, want)
		}
		pieces := kept(relay, in.Subject)
		if len(pieces) != 2 || pieces[0].Text != "yes" || string(pieces[1].Choices) != `[{"index":0}]` {
			t.Fatalf("sent %+v", pieces)
		}
		if first, second := pieces[0].ID, pieces[1].ID; first.Attempt != 1 || first.Token == 0 || first.N != 0 || second.N != 1 || second.Supersedes(first) {
			t.Errorf("they are %s and %s", first, second)
		}

		second := in.Next(events.Schedule, events.Scheduled, 2, time.Now())
		second.Target, second.Begun = "main", 1
		w.one(infer.New(w.config), second)
		again := kept(relay, in.Subject)
		if len(again) != 2 || again[0].ID.N != 0 || !again[0].ID.Supersedes(pieces[1].ID) {
			t.Errorf("of the second attempt %+v is kept", again)
		}
	})
}

func TestNoPiecesGoOut(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *world, events.Event) (in events.Event, h hop.Handler){
		"of a request that does not stream": func(_ *testing.T, w *world, in events.Event) (events.Event, hop.Handler) {
			in.Stream = false
			return in, infer.New(w.config)
		},
		"of a shadow": func(t *testing.T, w *world, in events.Event) (events.Event, hop.Handler) {
			if _, err := w.config.Results.Begin(t.Context(), in.Subject, results.Beginning{Run: in.Run, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			s := in.AsShadow("main", time.Now().Add(time.Minute))
			s.Stream = true
			return s, infer.New(w.config)
		},
		"of an answer that is kept": func(_ *testing.T, w *world, in events.Event) (events.Event, hop.Handler) {
			w.config.Answers = answers.New(answers.Config{Store: answers.NewMemory()})
			h := infer.New(w.config)
			first := in
			first.ID, first.Subject, first.CacheKey = "other", "other", "key"
			w.one(h, first)
			in.CacheKey = "key"
			return in, h
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				relay := tokens.NewMemory()
				w.config.Models, w.config.Tokens = speaks(&w.calls), relay
				in := w.scheduled()
				in.Stream = true
				in, h := prepare(t, w, in)
				if _, err := h(t.Context(), in); err != nil || w.calls.Load() != 1 {
					t.Fatalf("%v after %d calls", err, w.calls.Load())
				}
				if pieces := kept(relay, in.Subject); len(pieces) != 0 {
					t.Errorf("sent %+v", pieces)
				}
			})
		})
	}
}

func TestAWorkerThatLostItsLeaseSendsNoMorePieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		relay, store := tokens.NewMemory(), lease.NewMemory()
		w.leases(store)
		w.config.Tokens = relay
		in := w.scheduled()
		in.Stream = true
		w.config.Models = modelIn(func(ctx context.Context, call model.Call) (model.Answer, error) {
			call.Delta(model.Delta{Text: "before"})
			// Another worker takes the lease, as if this one had stalled past its end.
			if _, err := store.Acquire(context.Background(), in.ID, time.Now().Add(time.Hour), time.Minute); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			call.Delta(model.Delta{Text: "after"})
			return model.Answer{}, ctx.Err()
		})
		if o := outcomeOf(t.Context(), infer.New(w.config), in); o.Kind != hop.Parked {
			t.Errorf("it comes to %+v", o)
		}
		if pieces := kept(relay, in.Subject); len(pieces) != 1 || pieces[0].Text != "before" {
			t.Errorf("sent %+v", pieces)
		}
	})
}
