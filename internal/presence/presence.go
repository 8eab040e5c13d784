// Package presence says which targets have their infer running in another place, at the end of a link that may be cut. Whoever
// runs it says so every second beside the chain (NATS core); who hears nothing for a while takes the target for away.
package presence

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// every is how often a target is announced.
	every = time.Second
	// silence is how long nothing must have been heard of a target for it to be away: several announcements, so that one that
	// is lost, or late on a slow link, moves no traffic.
	silence = 5 * time.Second
)

const subjectPrefix = "baton.presence."

// Announce says that the targets are here until ctx is done. What it says while the link is cut is lost.
func Announce(ctx context.Context, nc *nats.Conn, targets func() []string) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for _, t := range targets() {
			_ = nc.Publish(subjectPrefix+t, nil) // a connection that is closed, or away: then nobody hears it
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Watch hears which targets are announced. It is safe for concurrent use.
type Watch struct {
	sub *nats.Subscription
	now func() time.Time

	mu    sync.Mutex
	began time.Time
	heard map[string]time.Time
}

// Follow begins to listen, until Stop.
func Follow(nc *nats.Conn) (*Watch, error) {
	w := &Watch{now: time.Now, heard: map[string]time.Time{}}
	w.began = w.now()
	sub, err := nc.Subscribe(subjectPrefix+"*", func(m *nats.Msg) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard[strings.TrimPrefix(m.Subject, subjectPrefix)] = w.now()
	})
	if err != nil {
		return nil, fmt.Errorf("presence: subscribe: %w", err)
	}
	w.sub = sub
	return w, nil
}

// Away reports whether nothing was heard of the target for so long that its link must be cut, or nobody runs it. A watch that
// has just begun has heard nothing of any, and takes none for away.
func (w *Watch) Away(target string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.heard[target]
	if !ok {
		last = w.began
	}
	return w.now().Sub(last) > silence
}

// Stop ends the listening; what was heard stays as it is.
func (w *Watch) Stop() { _ = w.sub.Unsubscribe() }
