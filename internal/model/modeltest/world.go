package modeltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// What no error may show.
const (
	credential = "sk-credential-of-the-suite"
	secretText = "prompt-of-the-suite"
)

// world is one server, one client, and the wire between them.
type world struct {
	*testing.T
	kind   Kind
	wire   *wire
	client model.Client
	target *catalog.Target

	calls atomic.Int64 // that reached the server
	mu    sync.Mutex
	seen  Seen // of the last call
}

// setup starts a world whose server does for each call what play says.
func setup(t *testing.T, k Kind, play func(ctx context.Context, s Seen) Script) *world {
	t.Helper()
	w := &world{T: t, kind: k}
	address := k.Serve(t, func(ctx context.Context, s Seen) Script {
		w.calls.Add(1)
		w.mu.Lock()
		w.seen = s
		w.mu.Unlock()
		return play(ctx, s)
	})
	w.wire = newWire(t, address)
	w.client = k.Client(t, credential)
	target := k.Target
	target.Name, target.URL, target.Timeout = "main", k.URL(w.wire.address), time.Hour
	target.Key = "env:KEY"
	if target.Model == "" {
		target.Model = "real"
	}
	w.target = &target
	return w
}

// says is a server that says the pieces.
func says(pieces ...string) func(context.Context, Seen) Script {
	return func(context.Context, Seen) Script { return Script{Pieces: pieces} }
}

// ask returns the call of a prompt.
func (w *world) ask(prompt string) model.Call {
	return model.Call{
		Target: w.target, ID: "id-scheduled-1",
		Request: events.Request{ModelID: "m", Prompt: &prompt},
	}
}

// streamed returns a call whose deltas are appended to the list.
func (w *world) streamed(prompt string, to *[]model.Delta) model.Call {
	call := w.ask(prompt)
	call.Delta = func(d model.Delta) { *to = append(*to, d) }
	return call
}

// call makes the call, bounded by the suite's patience.
func (w *world) call(call model.Call) (model.Answer, error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	a, err := w.client.Call(ctx, call)
	if ctx.Err() != nil {
		w.Fatal("the call takes longer than the suite waits")
	}
	return a, err
}

// fails makes a call that is to come to nothing, and returns its error.
func (w *world) fails(call model.Call, code string, sent bool) *model.Error {
	w.Helper()
	_, err := w.call(call)
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		w.Fatalf("got error %v, want a *model.Error of code %s", err, code)
	}
	if e.Code != code || e.Sent != sent {
		w.Errorf("got %v, sent %t; want code %s, sent %t", e, e.Sent, code, sent)
	}
	if e.Target != "main" || e.Message == "" {
		w.Errorf("target %q, message %q", e.Target, e.Message)
	}
	w.clean(e)
	return e
}

// clean sees that an error shows nothing that it may not.
func (w *world) clean(e *model.Error) {
	w.Helper()
	host := w.wire.address
	for _, text := range []string{e.Error(), e.Message} {
		for _, secret := range []string{credential, secretText, host} {
			if strings.Contains(text, secret) {
				w.Errorf("%q shows %q", text, secret)
			}
		}
	}
}

// called sees how many calls reached the server.
func (w *world) called(want int64) {
	w.Helper()
	if n := w.calls.Load(); n != want {
		w.Errorf("the server was called %d times, want %d", n, want)
	}
}

func (w *world) last() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// within waits until the channel is closed.
func (w *world) within(done <-chan struct{}, what string) {
	w.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		w.Fatal(what)
	}
}

// text returns what deltas say.
func text(deltas []model.Delta) string {
	var b strings.Builder
	for _, d := range deltas {
		b.WriteString(d.Text)
	}
	return b.String()
}
