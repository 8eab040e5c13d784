package presence_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/presence"
)

// clock is a clock that is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestATargetIsHereForAsLongAsItIsAnnounced(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, false)
	hub, edge := natstest.Connect(t, server), natstest.Connect(t, server)
	c := &clock{at: time.Now()}
	w, err := presence.Follow(hub)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	w.SetClock(c.now)

	if w.Away("near") {
		t.Error("a watch that has just begun takes a target for away")
	}
	c.pass(6 * time.Second)
	if !w.Away("near") {
		t.Error("a target of which nothing was heard for 6 s is taken to be here")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		presence.Announce(ctx, edge, func() []string { return []string{"near"} })
	}()
	heard, give := context.WithTimeout(t.Context(), 30*time.Second)
	defer give()
	for w.Away("near") {
		if heard.Err() != nil {
			t.Fatal("a target that is announced is not heard of")
		}
		if err := hub.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if !w.Away("other") {
		t.Error("a target that nobody announces is taken to be here")
	}
	stop()
	<-done
	for _, nc := range []interface{ Flush() error }{edge, hub} { // what was announced before has been heard
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(4 * time.Second)
	if w.Away("near") {
		t.Error("a target is away after 4 s of silence")
	}
	c.pass(2 * time.Second)
	if !w.Away("near") {
		t.Error("a target is here after 6 s of silence")
	}
}
