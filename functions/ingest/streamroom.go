package ingest

import (
	"sync"

	"baton.dev/baton/internal/problem"
)

// Bounds of the streams at once where the configuration says none: a stream takes about 100 KB, most of it the connection's and
// what waits for a caller who is slow.
const (
	defaultStreams       = 10_000
	defaultTenantStreams = 5_000
)

// room counts the streams that are open in this process. It is safe for concurrent use.
type room struct {
	all, each int // as many as may be

	mu     sync.Mutex
	open   int
	tenant map[string]int
}

func newRoom(all, each int) *room {
	if all == 0 {
		all = defaultStreams
	}
	if each == 0 {
		each = min(all, defaultTenantStreams)
	}
	return &room{all: all, each: each, tenant: map[string]int{}}
}

// OpenStream makes room for a stream of the caller's, or is the problem that there is none: 429 where its tenant has as many
// open in this process as may be, 503 where all have. The caller leaves when the stream has ended.
func (s *Server) OpenStream(c *Caller) (leave func(), _ *problem.Problem) {
	r, name := s.room, c.Tenant.Name
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.tenant[name] >= r.each:
		return nil, problem.New(problem.TooManyStreams, "The tenant has as many streams open as may be. Close some, or poll.").
			With("Retry-After", retryAfter)
	case r.open >= r.all:
		return nil, problem.New(problem.Unavailable, "As many streams are open here as may be. Try again, or poll.").
			With("Retry-After", retryAfter)
	}
	r.open++
	r.tenant[name]++
	return sync.OnceFunc(func() { r.leave(name) }), nil
}

func (r *room) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.tenant[name]--
	if r.tenant[name] == 0 {
		delete(r.tenant, name)
	}
}
