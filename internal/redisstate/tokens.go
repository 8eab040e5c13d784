package redisstate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/tokens"
)

// Tokens is a [tokens.Relay]: a stream for each message with its last pieces, and a channel of the same name on which each
// piece is published as well, so that it comes at once. It is safe for concurrent use, and needs no closing: it has a goroutine
// while there is something to send, and one connection for all followers while there are any.
//
// A message is kept for [tokensFor] after its last piece, and no more than about [tokensKept] pieces of it: the server may be
// the one that keeps results, and must not be filled by what nobody needs any more.
type Tokens struct {
	client redis.UniversalClient
	ears   ears

	mu      sync.Mutex
	queue   []sending
	bytes   int
	running bool // a goroutine sends what is in the queue
}

var _ tokens.Relay = (*Tokens)(nil)

// Bounds of what is kept, and of what waits to be sent.
const (
	tokensFor   = 2 * time.Minute
	tokensKept  = 1024
	queuePieces = 8192
	queueBytes  = 8 << 20
	batchPieces = 256
)

// patience of a follower for the server's confirmation.
const confirmWait = 2 * time.Second

// sending is a piece that waits to be sent.
type sending struct {
	key  string
	data []byte
}

// NewTokens returns a relay over the client, which stays the caller's. It sends nothing yet.
func NewTokens(client redis.UniversalClient) *Tokens {
	return &Tokens{client: client, ears: ears{client: client, of: map[string]map[*ear]struct{}{}}}
}

// Send implements [tokens.Relay]. What is sent while the server is slow goes out together, and is lost when it is too much.
func (t *Tokens) Send(messageID string, p tokens.Piece) {
	data, err := p.Encode()
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) >= queuePieces || t.bytes+len(data) > queueBytes {
		return
	}
	t.queue = append(t.queue, sending{tagged("tokens", messageID), data})
	t.bytes += len(data)
	if !t.running {
		t.running = true
		go t.work()
	}
}

// work sends until nothing waits.
func (t *Tokens) work() {
	for {
		t.mu.Lock()
		batch := t.queue[:min(len(t.queue), batchPieces)]
		if len(batch) == 0 {
			t.queue, t.running = nil, false
			t.mu.Unlock()
			return
		}
		t.queue = t.queue[len(batch):]
		for _, s := range batch {
			t.bytes -= len(s.data)
		}
		t.mu.Unlock()
		t.send(batch)
	}
}

// send keeps and publishes the pieces in one round trip. They are kept first: who is told of a confirmed subscription and then
// reads what is kept has missed nothing.
func (t *Tokens) send(batch []sending) {
	ctx, cancel := context.WithTimeout(context.Background(), confirmWait)
	defer cancel()
	pipe := t.client.Pipeline()
	expire := map[string]bool{}
	for _, s := range batch {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: s.key, MaxLen: tokensKept, Approx: true, Values: []any{"p", s.data}})
		if !expire[s.key] {
			expire[s.key] = true
			pipe.PExpire(ctx, s.key, tokensFor)
		}
		pipe.Publish(ctx, s.key, s.data)
	}
	_, _ = pipe.Exec(ctx) // what cannot be sent is lost
}

// Follow implements [tokens.Relay].
func (t *Tokens) Follow(
	ctx context.Context, messageID string, after tokens.ID, ready func(), take func(tokens.Piece),
) error {
	key := tagged("tokens", messageID)
	e, err := t.ears.open(ctx, key)
	if err == nil {
		defer t.ears.close(key, e)
		err = e.confirmed(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("redisstate: follow %s: %w", messageID, err)
	}
	if ready != nil {
		ready()
	}
	joint := &tokens.Joint{Last: after, Take: take, Kept: func(ctx context.Context, piece func(tokens.Piece)) error {
		return t.kept(ctx, key, piece)
	}}
	joint.Replay(ctx)
	for {
		select {
		case <-e.inbox.Came:
			e.inbox.Empty(ctx, joint)
		case <-ctx.Done():
			t.rest(ctx, joint, key, e)
			return nil
		}
	}
}

// kept calls piece with what the stream has.
func (t *Tokens) kept(ctx context.Context, key string, piece func(tokens.Piece)) error {
	entries, err := t.client.XRange(ctx, key, "-", "+").Result()
	if err != nil {
		return err
	}
	each(entries, piece)
	return nil
}

func each(entries []redis.XMessage, piece func(tokens.Piece)) {
	for _, entry := range entries {
		data, _ := entry.Values["p"].(string)
		if p, err := tokens.Decode([]byte(data)); err == nil {
			piece(p)
		}
	}
}

// rest takes what was kept when the follower ended and has not come yet: it is on its way, or was missed.
func (t *Tokens) rest(ctx context.Context, joint *tokens.Joint, key string, e *ear) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokens.Grace)
	defer cancel()
	newest, err := t.client.XRevRangeN(ctx, key, "+", "-", 1).Result()
	e.inbox.Empty(ctx, joint)
	behind := false
	each(newest, func(p tokens.Piece) { behind = p.ID.Compare(joint.Last) > 0 })
	if err == nil && behind {
		joint.Replay(ctx)
	}
}

var errUnheard = errors.New("the subscription is not confirmed")
