package tokens

import (
	"bytes"
	"container/list"
	"context"
	"slices"
	"sync"
	"time"
)

// Bounds of what a [Memory] keeps.
const (
	keptPieces = 4096             // of one message
	keptBytes  = 64 << 20         // of all messages
	keptFor    = 10 * time.Minute // after the last piece of a message
	overhead   = 96               // bytes of a piece beside what is in it
)

// Memory is a [Relay] within this process. A follower costs it no memory: all followers of a message read the one copy that
// is kept, each from where it is, and one that is too slow finds the oldest pieces gone. It starts no goroutine.
type Memory struct {
	now func() time.Time

	mu        sync.Mutex
	kept      map[string]*list.Element // of *history
	idle      *list.List               // of *history, the one first whose last piece is the oldest
	bytes     int
	followers map[string]map[chan struct{}]struct{}
}

// history is what is kept of the answers to one request: pieces of its last execution. They are never written to, only
// appended and cut off, so that followers read them without the lock.
type history struct {
	messageID string
	pieces    []Piece
	bytes     int
	last      time.Time
}

// NewMemory returns a relay with nothing in it.
func NewMemory() *Memory {
	return &Memory{
		now: time.Now, kept: map[string]*list.Element{}, idle: list.New(), followers: map[string]map[chan struct{}]struct{}{},
	}
}

// Send implements [Relay].
func (m *Memory) Send(messageID string, p Piece) {
	if len(p.Text)+len(p.Choices) > MaxPiece {
		return
	}
	p.Choices = bytes.Clone(p.Choices)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keep(messageID, p) {
		m.forget()
		for wake := range m.followers[messageID] {
			select {
			case wake <- struct{}{}:
			default: // it has been woken and will see this one, too
			}
		}
	}
}

// keep adds the piece, and reports whether it is one that comes after those that are kept.
func (m *Memory) keep(messageID string, p Piece) bool {
	e, ok := m.kept[messageID]
	if !ok {
		e = m.idle.PushBack(&history{messageID: messageID})
		m.kept[messageID] = e
	}
	h, _ := e.Value.(*history)
	if n := len(h.pieces); n > 0 {
		switch last := h.pieces[n-1].ID; {
		case p.ID.Compare(last) <= 0:
			return false
		case p.ID.Supersedes(last):
			m.bytes -= h.bytes
			h.pieces, h.bytes = nil, 0
		case n == keptPieces:
			m.add(h, -size(h.pieces[0]))
			h.pieces = h.pieces[1:]
		}
	}
	h.pieces, h.last = append(h.pieces, p), m.now()
	m.add(h, size(p))
	m.idle.MoveToBack(e)
	return true
}

func (m *Memory) add(h *history, n int) {
	h.bytes += n
	m.bytes += n
}

func size(p Piece) int { return len(p.Text) + len(p.Choices) + overhead }

// forget drops the histories that are too old, and the oldest where all are too large.
func (m *Memory) forget() {
	for e := m.idle.Front(); e != nil; e = m.idle.Front() {
		h, _ := e.Value.(*history)
		if m.bytes <= keptBytes && m.now().Sub(h.last) < keptFor {
			return
		}
		m.bytes -= h.bytes
		m.idle.Remove(e)
		delete(m.kept, h.messageID)
	}
}

// Follow implements [Relay]. It returns nil.
func (m *Memory) Follow(ctx context.Context, messageID string, after ID, ready func(), take func(Piece)) error {
	wake := make(chan struct{}, 1)
	m.listen(messageID, wake)
	defer m.leave(messageID, wake)
	if ready != nil {
		ready()
	}
	for done := false; ; {
		pieces := m.since(messageID, after)
		for _, p := range pieces {
			take(p)
			after = p.ID
		}
		switch {
		case done:
			return nil
		case ctx.Err() != nil: // what came until then is taken, and no more
			done = true
		case len(pieces) == 0:
			select {
			case <-wake:
			case <-ctx.Done():
			}
		}
	}
}

func (m *Memory) listen(messageID string, wake chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.followers[messageID] == nil {
		m.followers[messageID] = map[chan struct{}]struct{}{}
	}
	m.followers[messageID][wake] = struct{}{}
}

func (m *Memory) leave(messageID string, wake chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.followers[messageID], wake)
	if len(m.followers[messageID]) == 0 {
		delete(m.followers, messageID)
	}
}

// since returns the pieces that are kept and come after the id.
func (m *Memory) since(messageID string, after ID) []Piece {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.kept[messageID]
	if !ok {
		return nil
	}
	h, _ := e.Value.(*history)
	i, found := slices.BinarySearchFunc(h.pieces, after, func(p Piece, id ID) int { return p.ID.Compare(id) })
	if found {
		i++
	}
	return h.pieces[i:len(h.pieces):len(h.pieces)]
}
