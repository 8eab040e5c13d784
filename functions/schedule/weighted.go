package schedule

import "baton.dev/baton/internal/catalog"

// shares writes, for each of the targets, the weight by which it is to be chosen: its own if it may be tried, else 0. Targets
// without weight are for when no other may be tried: then the first of them that may gets all. It reports whether any may.
func shares(weights []float64, targets []*catalog.Target, may func(*catalog.Target) bool) bool {
	weighty, unweighted := false, -1
	for i, t := range targets {
		weights[i] = 0
		switch {
		case !may(t):
		case t.Weight > 0:
			weights[i], weighty = float64(t.Weight), true
		case unweighted < 0:
			unweighted = i
		}
	}
	if !weighty && unweighted >= 0 {
		weights[unweighted] = 1
	}
	return weighty || unweighted >= 0
}

// draw returns the index that the point at in [0, 1) falls on when each index is as wide as its weight; -1 if none has one.
func draw(weights []float64, at float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	point, last := at*total, -1
	for i, w := range weights {
		if w == 0 {
			continue
		}
		last = i
		if point -= w; point < 0 {
			return i
		}
	}
	return last // the sum was rounded up to the total
}
