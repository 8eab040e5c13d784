package hop

import (
	"context"
	"errors"
	"time"

	"baton.dev/baton/events"
)

// An output that cannot be stored is tried again after storeAgain, which doubles up to storeAgainMost: soon enough after a
// hiccup, and no burden to a broker that is in trouble.
const (
	storeAgain     = 100 * time.Millisecond
	storeAgainMost = 5 * time.Second
)

// store stores what a handler emitted. The work behind it may be paid for, so what the transport does not take now is kept
// and tried again for as long as handling lasts: until the lease of the delivery is lost, the grace of a drain is over, or
// the time of a batch is up. Whoever has the delivery's lease kept keeps it meanwhile.
//
// The error is the transport's last. It is returned at once for what would be refused however long it is tried.
func (p *Processor) store(handling, settling context.Context, d Delivery, out []events.Event) error {
	err := p.publish(settling, out)
	if err == nil || refused(out, err) || handling.Err() != nil {
		return err
	}
	p.cfg.Log.Warn("output not stored; it is kept and tried again", "hop", p.cfg.Hop, "id", d.Event.ID, "error", err)
	// The first try may outlast the handling, to store what came with its last second. A repeated one ends with it, so that
	// there is time to give the delivery back.
	trying, stop := context.WithCancel(settling)
	defer stop()
	defer context.AfterFunc(handling, stop)()
	for wait := storeAgain; handling.Err() == nil; wait = min(2*wait, storeAgainMost) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-handling.Done():
			timer.Stop()
			return err
		}
		last := p.publish(trying, out)
		if last == nil || refused(out, last) {
			return last
		}
		if handling.Err() == nil { // else it says only that it was ended
			err = last
		}
	}
	return err
}

// publish stores events, within the time for it.
func (p *Processor) publish(ctx context.Context, out []events.Event) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return p.cfg.Publisher.Publish(ctx, out...)
}

// refused reports whether the error is about the events and not about the transport's state: they must not take a place in
// this process for as long as their lease is kept.
func refused(out []events.Event, err error) bool {
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrNoLane) {
		return true
	}
	for _, e := range out {
		if _, err := e.Lane(); err != nil {
			return true
		}
	}
	return false
}
