package sqsbus_test

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
)

// A call is one call of the client, before it becomes a request.
type call struct {
	in   any // what the client was called with: *sqs.SendMessageBatchInput and the like
	next func(in any) (out any, err error)
}

// tap is a client's option that hands each call to f, which may look at it, change it or not make it.
func tap(f func(call) (any, error)) func(*sqs.Options) {
	return sqs.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("tap", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			var meta middleware.Metadata
			out, err := f(call{in.Parameters, func(changed any) (any, error) {
				in.Parameters = changed
				out, m, err := next.HandleInitialize(ctx, in)
				meta = m
				return out.Result, err
			}})
			return middleware.InitializeOutput{Result: out}, meta, err
		}), middleware.Before)
	})
}

// recorder keeps the inputs of the calls of one kind. It is safe for concurrent use.
type recorder[In any] struct {
	mu  sync.Mutex
	all []*In
}

func (r *recorder[In]) option() func(*sqs.Options) {
	return tap(func(c call) (any, error) {
		if in, ok := c.in.(*In); ok {
			r.mu.Lock()
			r.all = append(r.all, in)
			r.mu.Unlock()
		}
		return c.next(c.in)
	})
}

// calls returns the inputs so far.
func (r *recorder[In]) calls() []*In {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*In(nil), r.all...)
}
