package tokens

import (
	"context"
	"sync"
)

// Bounds of what waits for one follower. What comes above them is dropped: a follower that does not keep up must not cost more
// the slower it is.
const (
	waitingPieces = 1024
	waitingBytes  = 1 << 20
)

// Inbox is what has come for one follower, encoded, and waits to be taken. It is safe for concurrent use.
type Inbox struct {
	// Came gets a value when something may have been put in.
	Came chan struct{}

	mu      sync.Mutex
	waiting [][]byte
	bytes   int
}

// NewInbox returns an empty inbox.
func NewInbox() *Inbox { return &Inbox{Came: make(chan struct{}, 1)} }

// Put puts an encoded piece in, or drops it where too much waits. It does not wait, and keeps the bytes.
func (b *Inbox) Put(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == waitingPieces || b.bytes+len(data) > waitingBytes {
		return
	}
	b.waiting = append(b.waiting, data)
	b.bytes += len(data)
	select {
	case b.Came <- struct{}{}:
	default:
	}
}

// Empty adds what waits to the joint. What is no piece is dropped.
func (b *Inbox) Empty(ctx context.Context, j *Joint) {
	b.mu.Lock()
	waiting := b.waiting
	b.waiting, b.bytes = nil, 0
	b.mu.Unlock()
	for _, data := range waiting {
		if p, err := Decode(data); err == nil {
			j.Add(ctx, p)
		}
	}
}
