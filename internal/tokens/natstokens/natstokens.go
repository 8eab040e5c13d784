// Package natstokens is the relay of pieces over NATS: one subject a message, baton.tokens.<message id>.
//
// Delivery: at most once. A piece is published beside JetStream, without a confirmation, and goes to who is subscribed to its
// subject, in order.
// History: the stream BATON_TOKENS, in the server's memory, keeps what was published last, by three bounds: ten minutes, 16 MiB
// in all, and 4096 pieces of a message. It is for who comes late or comes again, and where it cannot be had, or is not there,
// pieces still come as they are made.
// Cost: a follower is a subscription and one question to the server. There are no consumers.
// Durability: none. A server that is away or has restarted has lost its pieces.
package natstokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/tokens"
)

const (
	streamName    = "BATON_TOKENS"
	subjectPrefix = "baton.tokens."
)

// Bounds of the history.
const (
	keptFor = 10 * time.Minute
	// keptBytes is some 75,000 pieces, of which 250 answers at once make 4,000 a second. A server written in Go goes through them
	// in every collection, and what it carries waits meanwhile.
	keptBytes  = 16 << 20
	keptPieces = 4096 // of a message
)

// patience bounds a question to the server: longer than one that works takes to answer.
const patience = 2 * time.Second

// settled is when a follower looks again whether pieces are kept: one that was published right before the subscription is not
// handed on, and may not have been kept when the follower looked first. Where another piece follows, the
// ids tell.
const settled = 20 * time.Millisecond

// Relay implements [tokens.Relay] over one connection, which stays its caller's to close. It is safe for concurrent use.
type Relay struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream // nil: nothing is kept
}

var _ tokens.Relay = (*Relay)(nil)

// New makes the stream of the history if it is not there, and returns the relay. Where that cannot be done, which is logged, the
// relay carries pieces all the same and keeps none.
func New(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) *Relay {
	r := &Relay{nc: nc, js: js}
	var err error
	if err = natsbus.EnsureStream(ctx, js, streamConfig()); err == nil {
		r.stream, err = js.Stream(ctx, streamName)
	}
	if err != nil {
		r.stream = nil
		log.Warn("streams of results cannot be resumed: no pieces are kept", "error", err)
	}
	return r
}

// Open returns a relay that sends and follows what comes, and neither makes nor reads a history.
func Open(nc *nats.Conn) *Relay { return &Relay{nc: nc} }

func streamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: streamName, Description: "Pieces of answers that are being made", Subjects: []string{subjectPrefix + "*"},
		Storage: jetstream.MemoryStorage, Discard: jetstream.DiscardOld, NoAck: true, AllowDirect: true,
		MaxAge: keptFor, MaxBytes: keptBytes, MaxMsgsPerSubject: keptPieces,
	}
}

// subject returns the message's own subject, and false for what is no message id.
func subject(messageID string) (string, bool) {
	return subjectPrefix + messageID, messageID != "" && !strings.ContainsAny(messageID, ".*> \t\r\n")
}

// Send implements [tokens.Relay]. A connection that is being made anew takes nothing: its buffer is for what must not be lost.
func (r *Relay) Send(messageID string, p tokens.Piece) {
	to, ok := subject(messageID)
	if !ok || !r.nc.IsConnected() {
		return
	}
	if data, err := p.Encode(); err == nil {
		_ = r.nc.Publish(to, data)
	}
}

// Follow implements [tokens.Relay].
func (r *Relay) Follow(
	ctx context.Context, messageID string, after tokens.ID, ready func(), take func(tokens.Piece),
) error {
	from, ok := subject(messageID)
	if !ok {
		return errors.New("natstokens: follow: not a message id")
	}
	inbox := tokens.NewInbox()
	sub, err := r.nc.Subscribe(from, func(msg *nats.Msg) { inbox.Put(msg.Data) })
	if err != nil {
		return fmt.Errorf("natstokens: follow %s: %w", messageID, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	last, err := r.confirm(ctx, from)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("natstokens: follow %s: %w", messageID, err)
	}
	if ready != nil {
		ready()
	}
	joint := &tokens.Joint{Last: after, Take: take}
	if r.stream != nil {
		joint.Kept = func(ctx context.Context, piece func(tokens.Piece)) error { return r.kept(ctx, from, piece) }
	}
	if last.Compare(after) > 0 {
		joint.Replay(ctx)
	}
	again := time.NewTimer(settled)
	defer again.Stop()
	for {
		select {
		case <-inbox.Came:
			inbox.Empty(ctx, joint)
		case <-again.C:
			if joint.Last != after || r.stream == nil {
				continue // what was missed before a piece that came has been looked for
			}
			last, err := r.confirm(ctx, from)
			inbox.Empty(ctx, joint) // a piece that was just made has come by itself, mostly, and the history is dear
			if err == nil && last.Compare(joint.Last) > 0 {
				joint.Replay(ctx)
			}
		case <-ctx.Done():
			r.arrived(ctx, sub)
			inbox.Empty(ctx, joint)
			return nil
		}
	}
}

// confirm returns when the server has taken the subscription, with the id of the last piece that it keeps. A connection's
// commands are done in order, so an answer to what was asked after it says so.
func (r *Relay) confirm(ctx context.Context, from string) (last tokens.ID, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if r.stream != nil {
		switch msg, err := r.stream.GetLastMsgForSubject(ctx, from); {
		case err == nil:
			p, _ := tokens.Decode(msg.Data) // of one that cannot be read, nothing is replayed
			return p.ID, nil
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return last, nil
		}
	}
	return last, r.nc.FlushWithContext(ctx)
}

// kept calls piece with what the stream has of the subject.
func (r *Relay) kept(ctx context.Context, from string, piece func(tokens.Piece)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for seq := uint64(1); ; {
		batch, err := jetstreamext.GetBatch(ctx, r.js, streamName, keptPieces,
			jetstreamext.GetBatchSubject(from), jetstreamext.GetBatchSeq(seq))
		if err != nil {
			return err
		}
		before := seq
		for msg, err := range batch {
			if err != nil { // ErrNoMessages at the end
				return err
			}
			if p, err := tokens.Decode(msg.Data); err == nil {
				piece(p)
			}
			seq = msg.Sequence + 1
		}
		if seq == before {
			return ctx.Err()
		}
	}
}

// arrived returns when what the server had handed on before the follower's end has come: its answer comes after that, on the
// same connection.
func (r *Relay) arrived(ctx context.Context, sub *nats.Subscription) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokens.Grace)
	defer cancel()
	if r.nc.FlushWithContext(ctx) != nil {
		return
	}
	for ctx.Err() == nil {
		if n, _, err := sub.Pending(); err != nil || n == 0 { // one counts until its callback has returned
			return
		}
		runtime.Gosched()
	}
}
