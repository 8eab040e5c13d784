// Package groupcommit publishes messages to JetStream and waits until the server has confirmed that it stored them.
//
// With a server that waits for the disk on every write (sync always), a write costs an fsync. Then publishers that come
// while one write is under way go together in the next, as one atomic batch (NATS ADR-50), for which the server syncs
// once: the group commit of databases (DeWitt et al., "Implementation Techniques for Main Memory Database Systems", 1984).
// Nobody waits for company: a message that finds its stream idle is written alone, at once.
package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// maxBatch is the most messages in a batch: under the server's limit of 1,000, and few enough that the batch's own
// latency stays small beside the disk's.
const maxBatch = 256

// maxBatchBytes bounds a batch's bytes, since the server stages a batch before it commits it.
const maxBatchBytes = 8 << 20

// commitTimeout bounds one commit. Past it, what was stored is open, and whoever waits publishes again under the same ids.
const commitTimeout = 5 * time.Second

// Publisher publishes to JetStream. It is safe for concurrent use.
type Publisher struct {
	js       jetstream.JetStream
	together bool

	mu     sync.Mutex
	groups map[string]*group
}

// New returns a publisher. With together, messages for one stream that are published at the same time are committed
// together; the streams must allow atomic publish.
func New(js jetstream.JetStream, together bool) *Publisher {
	return &Publisher{js: js, together: together, groups: map[string]*group{}}
}

// Pending is the confirmation that a publish waits for.
type Pending struct {
	future jetstream.PubAckFuture // of a message published alone
	done   chan struct{}          // closed when err is set, for one committed with others
	err    error
}

// Start begins to publish msg to the stream. The caller must not change msg until the confirmation is there.
func (p *Publisher) Start(stream string, msg *nats.Msg) (*Pending, error) {
	if !p.together {
		future, err := p.js.PublishMsgAsync(msg)
		if err != nil {
			return nil, fmt.Errorf("publish to %s: %w", stream, err)
		}
		return &Pending{future: future}, nil
	}
	p.mu.Lock()
	g := p.groups[stream]
	if g == nil {
		g = &group{js: p.js}
		p.groups[stream] = g
	}
	p.mu.Unlock()
	return g.join(msg), nil
}

// Wait returns nil when the message is stored, or stored already under the same id. When ctx ends first, the message may
// be stored all the same.
func (p *Pending) Wait(ctx context.Context) error {
	if p.future == nil {
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-p.future.Ok():
		return nil
	case err := <-p.future.Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// group is the publishers of one stream.
type group struct {
	js jetstream.JetStream

	mu      sync.Mutex
	waiting []*member
	busy    bool // a commit is under way, and takes whoever is waiting when it is over
}

type member struct {
	msg     *nats.Msg
	pending *Pending
}

func (g *group) join(msg *nats.Msg) *Pending {
	m := &member{msg, &Pending{done: make(chan struct{})}}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, m)
	if !g.busy {
		g.busy = true
		go g.commit()
	}
	return m.pending
}

// commit writes whoever is waiting, until nobody is.
func (g *group) commit() {
	for {
		batch := g.next()
		if batch == nil {
			return
		}
		g.write(batch)
	}
}

// next takes the members that are written next, or ends the commit.
func (g *group) next() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, 0
	for n < len(g.waiting) && n < maxBatch {
		size += g.waiting[n].msg.Size()
		if n > 0 && size > maxBatchBytes {
			break
		}
		n++
	}
	if n == 0 {
		g.busy, g.waiting = false, nil
		return nil
	}
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return batch
}

// write stores the batch and tells its members.
func (g *group) write(batch []*member) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if len(batch) == 1 {
		batch[0].finish(g.alone(ctx, batch[0]))
		return
	}
	msgs := make([]*nats.Msg, len(batch))
	for i, m := range batch {
		msgs[i] = m.msg
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, g.js, msgs, jetstreamext.BatchFlowControl{AckFirst: false})
	if err != nil && rejected(err) {
		// The batch is all or nothing, and one member does not fit: a duplicate, or a cell that is written already. Halving
		// finds it in few steps, and the others still go together.
		g.write(batch[:len(batch)/2])
		g.write(batch[len(batch)/2:])
		return
	}
	for _, m := range batch {
		m.finish(err)
	}
}

// alone writes a member by itself.
func (g *group) alone(ctx context.Context, m *member) error {
	m.msg.Header.Del(jetstreamext.BatchIDHeader)
	m.msg.Header.Del(jetstreamext.BatchSeqHeader)
	m.msg.Header.Del(jetstreamext.BatchCommitHeader)
	future, err := g.js.PublishMsgAsync(m.msg)
	if err != nil {
		return err
	}
	return (&Pending{future: future}).Wait(ctx)
}

func (m *member) finish(err error) {
	m.pending.err = err
	close(m.pending.done)
}

// rejected reports whether the server refused the batch and stored nothing of it. Anything else, a time-out above all,
// leaves open what was stored.
func rejected(err error) bool {
	_, ok := errors.AsType[jetstream.JetStreamError](err)
	return ok
}
