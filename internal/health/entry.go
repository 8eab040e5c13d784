package health

import (
	"slices"
	"time"
)

// maxQueue is how many observations of a target wait to be shared: a quarter of a second at 16,000 attempts a second.
const maxQueue = 4096

// entry is what a board holds of one target. At all times view is base after what is in flight and the queue.
type entry struct {
	target      string
	fingerprint string // of a canary's configuration; "": it is none

	base   record // the shared record, as it was last seen
	view   record
	queue  []observation // not shared yet, oldest first
	flight []observation // older than the queue: a sync is about to share them
	doubt  doubt
	slot   slot
	shown  State // what the board's Observe was told last
}

// doubt is a swap that ended in an error: the record may be kept, and then the first n observations of the queue are in it.
type doubt struct {
	record []byte
	n      int
}

// slot is the right to probe the target, as this process sees it.
type slot struct {
	held    bool
	spent   bool      // the probe is over; the slot is kept until the others can know how it ended
	since   time.Time // when it was taken
	renewed time.Time // when the store heard of it last
	again   time.Time // of one that another process had: when to ask again
}

// push queues an observation that view has learned. Attempts at a canary's stable targets that follow each other are one.
// Where the queue is full, the oldest goes into the base: it is lost if the store turns out to know better.
func (e *entry) push(o observation, jitter func(string, int) float64) {
	if n := len(e.queue); n > e.doubt.n && o.stable.Attempts > 0 && o.out == "" {
		if last := &e.queue[n-1]; last.stable.Attempts > 0 && last.out == "" && last.fingerprint == o.fingerprint {
			last.stable.add(o.stable)
			last.At, last.told = o.At, last.told && o.told
			return
		}
	}
	if e.queue = append(e.queue, o); len(e.flight) == 0 {
		e.trim(jitter)
	}
}

// settle puts what came of a sync into the entry.
func (e *entry) settle(s *share, jitter func(string, int) float64) {
	rest := e.flight
	switch {
	case s.done:
		e.base, e.doubt, rest = s.base, doubt{}, nil
	case s.read:
		e.base, e.doubt, rest = s.base, s.doubt, s.batch
	}
	e.queue, e.flight = append(slices.Clip(rest), e.queue...), nil
	e.trim(jitter)
	if s.read {
		e.view, _ = e.base.learn(e.queue, jitter)
	}
}

func (e *entry) trim(jitter func(string, int) float64) {
	over := len(e.queue) - maxQueue
	if over <= 0 {
		return
	}
	e.base, _ = e.base.learn(e.queue[:over], jitter)
	e.queue = e.queue[over:]
	e.doubt.n = max(e.doubt.n-over, 0)
}

// rolledBack reports whether the target is a canary that is out.
func (e *entry) rolledBack() bool {
	t := e.view.trial(e.fingerprint)
	return t != nil && t.Out != ""
}
