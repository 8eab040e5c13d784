package replay

import (
	"container/heap"
	"time"
)

// agenda is what is to be done when, in virtual time; at one time, in the order in which it was put in.
type agenda struct {
	now   time.Time
	steps steps
	count int
}

type step struct {
	at    time.Time
	order int
	do    func()
}

// at puts in what is to be done at the time, or now if that is past.
func (a *agenda) at(t time.Time, do func()) {
	if t.Before(a.now) {
		t = a.now
	}
	a.count++
	heap.Push(&a.steps, step{t, a.count, do})
}

// next does what comes next, and reports whether there was anything.
func (a *agenda) next() bool {
	if len(a.steps) == 0 {
		return false
	}
	s, _ := heap.Pop(&a.steps).(step)
	a.now = s.at
	s.do()
	return true
}

// steps is a heap of steps, the next first.
type steps []step

func (s steps) Len() int { return len(s) }

func (s steps) Less(i, j int) bool {
	if c := s[i].at.Compare(s[j].at); c != 0 {
		return c < 0
	}
	return s[i].order < s[j].order
}

func (s steps) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

func (s *steps) Push(x any) {
	if one, ok := x.(step); ok {
		*s = append(*s, one)
	}
}

func (s *steps) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = step{}
	*s = old[:len(old)-1]
	return last
}
