package hop

import (
	"slices"
	"sync"

	"baton.dev/baton/events"
)

// intake is the waiting room of a worker: a bounded queue for each lane, and the choice of which goes next.
//
// The choice is smooth weighted round robin over the priorities that have something waiting (nginx,
// ngx_http_upstream_get_peer), and plain round robin over the lanes of a priority: the shared lane, and those of tenants that
// wait apart. It is work-conserving, since an empty lane is passed over, and starves none: a priority with anything waiting
// is chosen at least once in the sum of the weights, and a lane once in as many choices of its priority as that has lanes.
type intake struct {
	mu       sync.Mutex
	filled   sync.Cond // a lane got a delivery, or the intake closed
	capacity int       // of each lane
	classes  []*class
	closed   bool
}

// class is the lanes of one priority.
type class struct {
	priority events.Priority
	weight   int
	credit   int
	lanes    []*lane
	turn     int // the lane that is asked first
}

type lane struct {
	Lane
	capacity int
	waiting  []*held
	drained  sync.Cond // the lane has room again, or the intake closed
}

func newIntake(lanes []Lane, capacity int) *intake {
	in := &intake{capacity: capacity}
	in.filled.L = &in.mu
	for _, l := range lanes {
		in.open(l)
	}
	return in
}

// open adds a lane, and returns it; nil if the lane is there, or the intake closed. The lanes of a priority have one weight,
// that of the first.
func (in *intake) open(l Lane) *lane {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.IndexFunc(in.classes, func(c *class) bool { return c.priority == l.Priority })
	if i < 0 {
		i = len(in.classes)
		in.classes = append(in.classes, &class{priority: l.Priority, weight: max(l.Weight, 1)})
	}
	c := in.classes[i]
	if in.closed || slices.ContainsFunc(c.lanes, func(o *lane) bool { return o.Lane.Lane == l.Lane }) {
		return nil
	}
	ln := &lane{Lane: l, capacity: in.capacity}
	ln.drained.L = &in.mu
	c.lanes = append(c.lanes, ln)
	return ln
}

// leave takes out a lane that nobody fills any more, or reports that something waits in it still.
func (in *intake) leave(l *lane) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(l.waiting) > 0 {
		return false
	}
	for _, c := range in.classes {
		if i := slices.Index(c.lanes, l); i >= 0 {
			c.lanes = slices.Delete(c.lanes, i, i+1)
			if c.turn > i {
				c.turn--
			}
		}
	}
	return true
}

// all returns the lanes that are open.
func (in *intake) all() []*lane {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []*lane
	for _, c := range in.classes {
		all = append(all, c.lanes...)
	}
	return all
}

// room waits until the lane is at most half full, and returns how many deliveries it takes; 0 when the intake is closed.
// Half, so that the transport is asked for many at a time.
func (in *intake) room(l *lane) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed && len(l.waiting) > l.capacity/2 {
		l.drained.Wait()
	}
	if in.closed {
		return 0
	}
	return l.capacity - len(l.waiting)
}

// add puts a delivery in its lane, or reports that the intake is closed.
func (in *intake) add(l *lane, h *held) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	l.waiting = append(l.waiting, h)
	in.filled.Signal()
	return true
}

// next waits for a delivery and takes it out, or reports that the intake is closed.
func (in *intake) next() (*held, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for {
		if in.closed {
			return nil, false
		}
		if l := in.choose(); l != nil {
			h := l.waiting[0]
			l.waiting[0] = nil
			l.waiting = l.waiting[1:]
			if len(l.waiting) <= l.capacity/2 {
				l.drained.Signal()
			}
			return h, true
		}
		in.filled.Wait()
	}
}

// choose returns the lane whose turn it is among those with something waiting, or nil.
func (in *intake) choose() *lane {
	var best *class
	var chosen int
	total := 0
	for _, c := range in.classes {
		i := c.next()
		if i < 0 {
			// A priority must not save up credit while it has nothing to do.
			c.credit = 0
			continue
		}
		total += c.weight
		c.credit += c.weight
		if best == nil || c.credit > best.credit {
			best, chosen = c, i
		}
	}
	if best == nil {
		return nil
	}
	best.credit -= total
	best.turn = chosen + 1
	return best.lanes[chosen]
}

// next returns the index of the lane whose turn it is, or -1 where none has anything waiting.
func (c *class) next() int {
	for i := range c.lanes {
		if at := (c.turn + i) % len(c.lanes); len(c.lanes[at].waiting) > 0 {
			return at
		}
	}
	return -1
}

// close ends the intake and returns what was waiting in it.
func (in *intake) close() []*held {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	var waiting []*held
	for _, c := range in.classes {
		for _, l := range c.lanes {
			waiting = append(waiting, l.waiting...)
			l.waiting = nil
			l.drained.Broadcast()
		}
	}
	in.filled.Broadcast()
	return waiting
}
