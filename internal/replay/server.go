package replay

import (
	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// server is a target: so many calls at once, and a lane for each priority in which attempts wait, first in, first out.
//
// Which lane goes next is smooth weighted round robin over those with something waiting, as in package hop.
type server struct {
	target *catalog.Target
	model  *catalog.Model
	drawer drawer
	free   int
	lanes  []*lane
}

type lane struct {
	weight, credit int
	waiting        []job
}

// job is an attempt that waits for its call.
type job struct {
	flow *flow
	in   events.Event
}

func newServer(t *catalog.Target, m *catalog.Model, d drawer, weights map[events.Priority]int) *server {
	s := &server{target: t, model: m, drawer: d, free: max(t.Concurrency, 1)}
	for _, p := range events.Priorities() {
		s.lanes = append(s.lanes, &lane{weight: max(weights[p], 1)})
	}
	return s
}

func (s *server) add(j job) {
	for i, p := range events.Priorities() {
		if p == j.in.Priority {
			s.lanes[i].waiting = append(s.lanes[i].waiting, j)
		}
	}
}

// next takes out the attempt whose turn it is, or reports that none waits.
func (s *server) next() (job, bool) {
	var best *lane
	total := 0
	for _, l := range s.lanes {
		if len(l.waiting) == 0 {
			l.credit = 0
			continue
		}
		total += l.weight
		l.credit += l.weight
		if best == nil || l.credit > best.credit {
			best = l
		}
	}
	if best == nil {
		return job{}, false
	}
	best.credit -= total
	j := best.waiting[0]
	best.waiting[0] = job{}
	best.waiting = best.waiting[1:]
	return j, true
}
