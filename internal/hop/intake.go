package hop

import (
	"sync"

	"baton.dev/baton/events"
)

// intake is the waiting room of a worker: a bounded queue for each lane, and the choice of which goes next.
//
// The choice is smooth weighted round robin over the priorities that have something waiting (nginx,
// ngx_http_upstream_get_peer), and plain round robin over the lanes of a priority that have: the shared lane, and those of
// tenants that wait apart. It is work-conserving and starves none: a priority with anything waiting is chosen at least once
// in the sum of the weights, and a lane once in as many choices of its priority as lanes of it have something waiting.
//
// A choice costs the number of priorities, and opening a lane is a look into a map: there may be a lane for each of many
// thousand tenants, nearly all of them empty.
type intake struct {
	mu       sync.Mutex
	filled   sync.Cond // a lane got a delivery, fewer places are wanted, or the intake closed
	capacity int       // of each lane
	most     int64     // bytes of data at work, from which on nothing more begins; 0: no bound
	atWork   int64     // bytes of data
	lanes    map[events.Lane]*lane
	classes  []*class
	places   int // how many workers are wanted
	workers  int // how many there are
	closed   bool
}

// class is the lanes of one priority.
type class struct {
	priority events.Priority
	weight   int
	credit   int
	turns    []*lane // those with something waiting, in the order they are asked
}

type lane struct {
	Lane
	class   *class
	waiting []*held
	bytes   int64     // of data that waits
	drained sync.Cond // the lane has room again, or the intake closed
}

// laneBytes is how much data a lane takes: what is large waits with the transport.
const laneBytes = 32 << 20

func newIntake(capacity int) *intake {
	in := &intake{capacity: capacity, lanes: map[events.Lane]*lane{}}
	in.filled.L = &in.mu
	return in
}

// open adds a lane, and returns it; nil if the lane is there, or the intake closed. The lanes of a priority have one weight,
// that of the first until another is set.
func (in *intake) open(l Lane) *lane {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || in.lanes[l.Lane] != nil {
		return nil
	}
	ln := &lane{Lane: l, class: in.class(l.Priority, l.Weight)}
	ln.drained.L = &in.mu
	in.lanes[l.Lane] = ln
	return ln
}

// has reports whether the lane is open.
func (in *intake) has(l events.Lane) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.lanes[l] != nil
}

// class returns the class of the priority, made with the weight if need be. The caller holds the lock.
func (in *intake) class(p events.Priority, weight int) *class {
	for _, c := range in.classes {
		if c.priority == p {
			return c
		}
	}
	c := &class{priority: p, weight: max(weight, 1)}
	in.classes = append(in.classes, c)
	return c
}

// weigh sets the weights of priorities. What they have saved up under the old ones is void.
func (in *intake) weigh(weights map[events.Priority]int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for p, weight := range weights {
		in.class(p, weight).weight = max(weight, 1)
	}
	for _, c := range in.classes {
		c.credit = 0
	}
}

// size sets how many workers are wanted and what each lane takes, and returns how many workers are to be started. Those too
// many end when they ask for their next.
func (in *intake) size(places, capacity int) (start int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.places, in.capacity = places, capacity
	start = max(places-in.workers, 0)
	in.workers += start
	in.filled.Broadcast()
	for _, l := range in.lanes {
		l.drained.Broadcast()
	}
	return start
}

// leave takes out a lane that nobody fills any more, or reports that something waits in it still.
func (in *intake) leave(l *lane) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(l.waiting) > 0 {
		return false
	}
	delete(in.lanes, l.Lane.Lane)
	return true
}

// full reports whether more than half of what the lane takes waits in it.
func (in *intake) full(l *lane) bool {
	return len(l.waiting) > in.capacity/2 || l.bytes > laneBytes/2
}

// room waits until the lane is at most half full, and returns how many deliveries it takes; 0 when the intake is closed.
// Half, so that the transport is asked for many at a time.
func (in *intake) room(l *lane) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed && in.full(l) {
		l.drained.Wait()
	}
	if in.closed {
		return 0
	}
	return in.capacity - len(l.waiting)
}

// add puts a delivery in its lane, or reports that the intake is closed.
func (in *intake) add(l *lane, h *held) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	l.waiting = append(l.waiting, h)
	l.bytes += h.size()
	if len(l.waiting) == 1 {
		l.class.turns = append(l.class.turns, l)
	}
	in.filled.Signal()
	return true
}

// next waits for a delivery and takes it out. It reports false to a worker that is to end: the intake is closed, or fewer
// are wanted. Whoever takes one says when it is done.
func (in *intake) next() (*held, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		if in.closed || in.workers > in.places {
			in.workers--
			return nil, false
		}
		if in.most == 0 || in.atWork < in.most {
			if l := in.choose(); l != nil {
				h := in.take(l)
				in.atWork += h.size()
				return h, true
			}
		}
		in.filled.Wait()
	}
}

// done says that a delivery which was taken out is not at work any more.
func (in *intake) done(h *held) {
	in.mu.Lock()
	defer in.mu.Unlock()
	over := in.most > 0 && in.atWork >= in.most
	in.atWork -= h.size()
	if over && in.atWork < in.most {
		in.filled.Broadcast()
	}
}

// choose returns the lane whose turn it is among those with something waiting, or nil.
func (in *intake) choose() *lane {
	var best *class
	total := 0
	for _, c := range in.classes {
		if len(c.turns) == 0 {
			// A priority must not save up credit while it has nothing to do.
			c.credit = 0
			continue
		}
		total += c.weight
		c.credit += c.weight
		if best == nil || c.credit > best.credit {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	best.credit -= total
	return best.turns[0]
}

// take takes out the first delivery of the lane, which is the first of its class, and ends the lane's turn.
func (in *intake) take(l *lane) *held {
	h := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	l.bytes -= h.size()
	l.class.turns[0] = nil
	l.class.turns = l.class.turns[1:]
	if len(l.waiting) > 0 {
		l.class.turns = append(l.class.turns, l)
	}
	if !in.full(l) {
		l.drained.Signal()
	}
	return h
}

// close ends the intake and returns what was waiting in it.
func (in *intake) close() []*held {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	var waiting []*held
	for _, l := range in.lanes {
		waiting = append(waiting, l.waiting...)
		l.waiting, l.bytes = nil, 0
		l.drained.Broadcast()
	}
	for _, c := range in.classes {
		c.turns = nil
	}
	in.filled.Broadcast()
	return waiting
}
