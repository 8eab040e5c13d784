package model

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"baton.dev/baton/events"
)

// payload is the body of a request: bytes, and between head and tail what need not be in memory.
//
// What is between ends before the tail is sent. So a server never has a whole request of which a part is missing or altered:
// its JSON is not closed, and it is shorter than its Content-Length says.
type payload struct {
	head, tail []byte
	between    *Body // nil: nothing

	mu  sync.Mutex
	err error // why between cannot be sent
}

// size is in bytes.
func (p *payload) size() int64 {
	n := int64(len(p.head) + len(p.tail))
	if p.between != nil {
		n += p.between.Size
	}
	return n
}

// open returns the body from its start. Nothing is opened before the first read.
func (p *payload) open(ctx context.Context) io.ReadCloser {
	if p.between == nil {
		return io.NopCloser(bytes.NewReader(p.head))
	}
	between := &betweenReader{ctx: ctx, payload: p, left: p.between.Size}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(p.head), between, bytes.NewReader(p.tail)), between}
}

// sum returns the SHA-256 of the body in hex, for which it reads all of it.
func (p *payload) sum(ctx context.Context) (string, error) {
	body := p.open(ctx)
	defer func() { _ = body.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, body); err != nil {
		return "", fmt.Errorf("model: sum the request: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// failed returns why the body could not be read, or nil.
func (p *payload) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *payload) fail(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	return err
}

// betweenReader reads what is between. Close may be called while a Read is under way, and then waits for it.
type betweenReader struct {
	ctx     context.Context //nolint:containedctx // of the one request that this is the body of
	payload *payload
	left    int64

	mu     sync.Mutex
	opened io.ReadCloser
	closed bool
}

func (r *betweenReader) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errors.New("model: the request is over")
	}
	if r.opened == nil {
		opened, err := r.payload.between.Open(r.ctx)
		if err != nil {
			return 0, r.payload.fail(err)
		}
		r.opened = opened
	}
	n, err := r.opened.Read(b)
	r.left -= int64(n)
	switch {
	case r.left < 0, errors.Is(err, io.EOF) && r.left > 0:
		return 0, r.payload.fail(NewError(events.CodeDataAltered, errors.New("what it refers to is not as long as it was")))
	case err != nil && !errors.Is(err, io.EOF):
		return n, r.payload.fail(err)
	default:
		return n, err
	}
}

func (r *betweenReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.opened == nil {
		return nil
	}
	return r.opened.Close()
}
