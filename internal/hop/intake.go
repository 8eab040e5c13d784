package hop

import "sync"

// intake is the waiting room of a worker: a bounded queue for each lane, and the choice of which goes next.
//
// The choice is smooth weighted round robin over the lanes that have something waiting (nginx,
// ngx_http_upstream_get_peer): it is work-conserving, since an empty lane is passed over, and starves none, since a lane
// with anything waiting is chosen at least once in the sum of the weights.
type intake struct {
	mu     sync.Mutex
	filled sync.Cond // a lane got a delivery, or the intake closed
	lanes  []*lane
	closed bool
}

type lane struct {
	Lane
	capacity int
	waiting  []*held
	credit   int
	drained  sync.Cond // the lane has room again, or the intake closed
}

func newIntake(lanes []Lane, capacity int) *intake {
	in := &intake{}
	in.filled.L = &in.mu
	for _, l := range lanes {
		l.Weight = max(l.Weight, 1)
		ln := &lane{Lane: l, capacity: capacity}
		ln.drained.L = &in.mu
		in.lanes = append(in.lanes, ln)
	}
	return in
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
	var best *lane
	total := 0
	for _, l := range in.lanes {
		if len(l.waiting) == 0 {
			// A lane must not save up credit while it has nothing to do.
			l.credit = 0
			continue
		}
		total += l.Weight
		l.credit += l.Weight
		if best == nil || l.credit > best.credit {
			best = l
		}
	}
	if best != nil {
		best.credit -= total
	}
	return best
}

// close ends the intake and returns what was waiting in it.
func (in *intake) close() []*held {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	var waiting []*held
	for _, l := range in.lanes {
		waiting = append(waiting, l.waiting...)
		l.waiting = nil
		l.drained.Broadcast()
	}
	in.filled.Broadcast()
	return waiting
}
