package oip

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// course is how far a call has come.
type course struct {
	sent     atomic.Bool // its headers were handed to a connection: they may have reached the server
	answered atomic.Bool // the server ended it by a status of its own
}

type courseKey struct{}

// follow returns a context whose call is followed.
func follow(ctx context.Context) (context.Context, *course) {
	c := new(course)
	return context.WithValue(ctx, courseKey{}, c), c
}

// follower notes the course of each call that is followed. It implements [stats.Handler].
type follower struct{}

func (follower) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (follower) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (follower) HandleConn(context.Context, stats.ConnStats) {}

func (follower) HandleRPC(ctx context.Context, s stats.RPCStats) {
	c, ok := ctx.Value(courseKey{}).(*course)
	if !ok {
		return
	}
	switch s.(type) {
	case *stats.OutHeader:
		c.sent.Store(true)
	case *stats.InTrailer: // grpc-go makes one of a server's trailers alone, and none of a status that it thought of itself
		c.answered.Store(true)
	}
}
