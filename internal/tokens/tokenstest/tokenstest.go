// Package tokenstest is the conformance suite of [tokens.Relay].
package tokenstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/internal/tokens"
)

// Ends are the two ends of a relay, which may be one.
type Ends struct {
	Sender, Follower tokens.Relay
	// Arrived returns when what was sent is where followers get it from.
	Arrived func()
}

// Harness is what a relay is tested with.
type Harness struct {
	// Open returns a relay with nothing in it, until the test ends.
	Open func(t *testing.T) Ends
	// LiveOnly says that nothing is kept: who comes late misses what was.
	LiveOnly bool
}

// patience bounds what a test waits for that should come at once.
const patience = 30 * time.Second

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Ends){
		"pieces arrive whole, in order, and for their followers alone": inOrder,
		"every follower gets every piece":                              everyFollower,
		"what came by the end is taken":                                untilTheEnd,
		"a later execution supersedes an earlier one":                  supersedes,
		"a piece that is too large is left out, and the next one not":  tooLarge,
		"a follower that stands still holds nobody up":                 standsStill,
		"followers come and go":                                        comeAndGo,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h.Open(t))
		})
	}
	if h.LiveOnly {
		return
	}
	for name, test := range map[string]func(*testing.T, Ends){
		"who comes late gets what was sent before":            comesLate,
		"a follower goes on after the piece that it names":    goesOn,
		"whenever a follower comes, it misses nothing":        comesAnyTime,
		"a follower that comes with the pieces gets them all": comesAtOnce,
		"of a superseded execution nothing is kept for later": keepsTheLast,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h.Open(t))
		})
	}
}

// At returns the id of the piece of a first execution.
func at(n int) tokens.ID { return tokens.ID{Attempt: 1, Token: 7, N: n} }

func piece(id tokens.ID) tokens.Piece {
	text := fmt.Sprintf("é<%s>\n", id)
	content, _ := json.Marshal(text) //nolint:errchkjson // of a string
	return tokens.Piece{ID: id, Text: text, Choices: json.RawMessage(`[{"index":0,"delta":{"content":` + string(content) + `}}]`)}
}

func same(a, b tokens.Piece) bool {
	return a.ID == b.ID && a.Text == b.Text && string(a.Choices) == string(b.Choices)
}

// follower is one that has begun.
type follower struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	taken []tokens.Piece
	more  chan struct{}
}

// follow starts a follower and returns once nothing is missed any more. Before, if set, is called with each piece.
func follow(t *testing.T, r tokens.Relay, messageID string, after tokens.ID, before func(tokens.Piece)) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{t: t, cancel: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)}
	ready := make(chan struct{})
	go func() {
		defer close(f.done)
		err := r.Follow(ctx, messageID, after, func() { close(ready) }, func(p tokens.Piece) {
			if before != nil {
				before(p)
			}
			f.mu.Lock()
			f.taken = append(f.taken, p)
			f.mu.Unlock()
			select {
			case f.more <- struct{}{}:
			default:
			}
		})
		if err != nil {
			t.Errorf("follow: %v", err)
		}
	}()
	t.Cleanup(f.stop)
	select {
	case <-ready:
	case <-f.done:
		t.Fatal("the follower has ended before it was ready")
	case <-time.After(patience):
		t.Fatal("the follower is not ready")
	}
	return f
}

// stop ends the follower.
func (f *follower) stop() {
	f.cancel()
	<-f.done
}

func (f *follower) all() []tokens.Piece {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clip(f.taken)
}

// until waits for the piece of the id, and returns all that were taken.
func (f *follower) until(id tokens.ID) []tokens.Piece {
	f.t.Helper()
	for deadline := time.After(patience); ; {
		taken := f.all()
		if n := len(taken); n > 0 && taken[n-1].ID.Compare(id) >= 0 {
			return taken
		}
		select {
		case <-f.more:
		case <-deadline:
			f.t.Fatalf("piece %s has not come; %d have, the last of them %v", id, len(taken), last(taken))
		}
	}
}

func last(pieces []tokens.Piece) any {
	if len(pieces) == 0 {
		return "none"
	}
	return pieces[len(pieces)-1].ID
}

// whole fails unless the pieces are all of the first execution from one to another.
func whole(t *testing.T, pieces []tokens.Piece, from, to int) {
	t.Helper()
	if len(pieces) != to-from+1 {
		t.Fatalf("%d pieces came, want %d to %d", len(pieces), from, to)
	}
	for i, p := range pieces {
		if !same(p, piece(at(from+i))) {
			t.Fatalf("piece %d is %+v", from+i, p)
		}
	}
}

// rising fails unless each piece is later than the one before it.
func rising(t *testing.T, pieces []tokens.Piece) {
	t.Helper()
	for i := 1; i < len(pieces); i++ {
		if pieces[i].ID.Compare(pieces[i-1].ID) <= 0 {
			t.Fatalf("piece %s came after %s", pieces[i].ID, pieces[i-1].ID)
		}
	}
}

// send sends the pieces of the first execution from one to another.
func send(r tokens.Relay, messageID string, from, to int) {
	for n := from; n <= to; n++ {
		r.Send(messageID, piece(at(n)))
	}
}

func newID() string { return uuid.NewString() }

// large returns a piece of more bytes than are carried.
func large(id tokens.ID) tokens.Piece {
	return tokens.Piece{ID: id, Text: strings.Repeat("x", tokens.MaxPiece+1)}
}
