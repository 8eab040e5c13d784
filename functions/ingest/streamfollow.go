package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

const (
	// readyWait is the longest that a follower is not ready: a relay that is away costs immediacy, and not the request.
	readyWait = 250 * time.Millisecond
	// standingEvery is how often a follower is told where the request stands at least, if that has changed.
	standingEvery = 5 * time.Second
	// unreadAtMost is how often in a row the results may not be read before a follower is told so: with the pauses between
	// about as long as a broker takes to have a new leader.
	unreadAtMost = 5
)

// Follow calls take for the pieces of the request's answer after the given id, in order and from one goroutine, as the model
// makes them, and returns how the request stands: when it has ended, after the pieces that came before that; or as it was when
// ctx is done or the server drains. It calls ready, if set, once, when no piece of a request that is submitted from then on is
// missed for having come too early, or when that is not to be had. The request need not be there yet: if it still is not at
// the end, the error is [results.ErrNotFound].
//
// What take gets is never more than a start on the result: pieces may be missing, and those of an execution that a later one
// supersedes are void. Without a relay there are none.
func (s *Server) Follow(
	ctx context.Context, messageID string, after tokens.ID, ready func(), take func(tokens.Piece),
) (results.Standing, error) {
	return s.follow(ctx, messageID, after, ready, take, func(results.Standing) {})
}

// follow is Follow that also says where the request stands meanwhile, from the caller's goroutine.
func (s *Server) follow(
	ctx context.Context, messageID string, after tokens.ID,
	ready func(), take func(tokens.Piece), stands func(results.Standing),
) (results.Standing, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.cfg.Drain, cancel)()
	if ready == nil {
		ready = func() {}
	}
	ready = sync.OnceFunc(ready)
	if s.cfg.Tokens == nil {
		ready()
		return s.ending(ctx, messageID, stands)
	}
	defer time.AfterFunc(readyWait, ready).Stop()
	g, ended := gate{take: take}, make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.cfg.Tokens.Follow(ctx, messageID, after, ready, g.pass); err != nil {
			s.cfg.Log.Warn("no pieces come", "message_id", messageID, "error", err)
		}
		ready()
	}()
	standing, err := s.ending(ctx, messageID, stands)
	cancel() // the relay takes what has come by now
	timer := time.NewTimer(tokens.Grace + readyWait)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C: // it is away: it may end when it likes
	}
	g.close()
	return standing, err
}

// gate lets pieces through until it is closed.
type gate struct {
	mu     sync.Mutex
	take   func(tokens.Piece)
	closed bool
}

func (g *gate) pass(p tokens.Piece) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.take(p)
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// ending returns the request's standing when it has ended or ctx is done, and calls stands with it meanwhile.
func (s *Server) ending(ctx context.Context, messageID string, stands func(results.Standing)) (results.Standing, error) {
	for unread := 0; ; {
		slice, cancel := context.WithTimeout(ctx, standingEvery)
		standing, err := s.cfg.Results.Expect(slice, messageID)
		cancel()
		switch {
		case ctx.Err() != nil || err == nil && standing.Terminal():
			return standing, err
		case err == nil:
			unread = 0
			stands(standing)
		default:
			if !errors.Is(err, results.ErrNotFound) {
				unread++
			}
			if unread == unreadAtMost {
				return standing, err
			}
			pause(ctx, time.Second)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
