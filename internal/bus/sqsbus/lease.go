package sqsbus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errHeldTooLong says that SQS would refuse to hide the message for another lease.
var errHeldTooLong = errors.New("held for nearly 12h, which is as long as SQS hides a message from others")

// lease settles one delivery.
type lease struct {
	queue  *queue
	handle string
	length time.Duration
	end    time.Time // beyond which SQS does not hide the message
	now    func() time.Time

	// mu is held while a request is under way, so that none comes to SQS after the one that settles: an extension would
	// undo the delay of a return.
	mu      sync.Mutex
	settled bool
}

// Ack implements [hop.Settler].
func (l *lease) Ack(ctx context.Context) error {
	return l.settle("ack", func() error { return l.queue.removals.do(ctx, l.handle) })
}

// Return implements [hop.Settler]. SQS hides a message for 12 hours from its receipt at most; a longer delay is cut.
func (l *lease) Return(ctx context.Context, delay time.Duration) error {
	return l.settle("return", func() error {
		rest := l.end.Sub(l.now()).Truncate(time.Second)
		return l.queue.visibilities.do(ctx, visibility{l.handle, seconds(min(delay, rest))})
	})
}

// settle makes the request that settles the delivery, unless one was made.
func (l *lease) settle(what string, request func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled {
		return nil
	}
	if err := request(); err != nil {
		return fmt.Errorf("sqsbus: %s: %w", what, err)
	}
	l.settled = true
	return nil
}

// Extend implements [hop.Settler].
func (l *lease) Extend(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled {
		return nil
	}
	err := errHeldTooLong
	if l.now().Add(l.length).Before(l.end) {
		err = l.queue.visibilities.do(ctx, visibility{l.handle, seconds(l.length)})
	}
	if err != nil {
		return fmt.Errorf("sqsbus: extend: %w", err)
	}
	return nil
}
