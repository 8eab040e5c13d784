package admission

import (
	"math"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/health"
)

// Queue is what waits for one target: by priority, how much in each of its lanes, by tenant. The lane of all tenants has
// none ("").
type Queue map[events.Priority]map[string]int

// queues sorts the depths of infer's lanes by target.
func queues(depths map[events.Lane]int) map[string]Queue {
	all := map[string]Queue{}
	for l, n := range depths {
		if l.Hop != events.Infer || n <= 0 {
			continue
		}
		q := all[l.Target]
		if q == nil {
			q = Queue{}
			all[l.Target] = q
		}
		if q[l.Priority] == nil {
			q[l.Priority] = map[string]int{}
		}
		q[l.Priority][l.Tenant] += n
	}
	return all
}

// Before returns how many calls begin before that of a new request of the class and tenant, if no others come.
//
// Priorities share a target by weight, and the lanes of one share it alike, as the hop runtime has it; an empty lane leaves
// its share to the others. So while the lane ahead of the request gives out all it has, every other lane of the class gives
// out as much, or all it has; and another class as much of all that as its weight is of the class's, or all it has.
//
// Where tenants wait apart, the request may join its tenant's lane or that of all: the shorter counts.
func (q Queue) Before(p events.Priority, tenant string, weights map[events.Priority]int) float64 {
	own := q[p]
	ahead := own[""]
	if _, shared := own[""]; len(own) > 1 || !shared { // tenants wait apart
		ahead = min(ahead, own[tenant])
	}
	class := 0
	for _, n := range own {
		class += min(n, ahead)
	}
	before := float64(class)
	for other, lanes := range q {
		if other == p {
			continue
		}
		all := 0
		for _, n := range lanes {
			all += n
		}
		share := float64(class) * float64(max(weights[other], 1)) / float64(max(weights[p], 1))
		before += min(float64(all), share)
	}
	return before
}

// Place is a target where a request may be served.
type Place struct {
	Before      float64 // calls that begin before the request's
	Concurrency int     // calls at once
	Spare       bool    // it gets requests by way of exception: a share of its own, or when no other is left
	Health      health.Status
}

// evidence is how many attempts must have been seen of late for a target's speed to be believed.
const evidence = 10

// Wait returns how long a request waits for a place, 0 where there is room at once or where it is not known. The places come
// in levels: a level is used when every place of those before it is out.
//
// A place whose breaker is open is out: where all are, the request waits for the first to let calls through again. Else it
// goes to the first level that has a place, and waits for the one there that is free first; but no longer than if that level
// worked off together what waits there, alone or with those after it.
func Wait(levels [][]Place, now time.Time) time.Duration {
	var first []Place
	all := make([][]Place, 0, len(levels))
	least := forever // until a place that is out is back
	for _, level := range levels {
		var up []Place
		for _, p := range level {
			switch {
			case p.Health.RolledBack: // it gets no requests
			case p.Health.State == health.Open && p.Health.Until.After(now):
				least = min(least, p.Health.Until.Sub(now))
			default:
				up = append(up, p)
			}
		}
		if first == nil {
			first = regular(up)
		}
		all = append(all, up)
	}
	switch {
	case first != nil:
		return free(first, all)
	case least == forever:
		return 0 // there is no place at all: not for the door to judge
	default:
		return least
	}
}

const forever = time.Duration(math.MaxInt64)

// regular returns the places that are not spare, or all if there is none.
func regular(up []Place) []Place {
	var some []Place
	for _, p := range up {
		if !p.Spare {
			some = append(some, p)
		}
	}
	if some == nil {
		return up
	}
	return some
}

// free returns when one of the first places is free, where the levels take part in the work one after the other.
func free(first []Place, levels [][]Place) time.Duration {
	least, fastest := forever, forever
	for _, p := range first {
		speed, known := p.speed()
		if !known {
			return 0
		}
		least = min(least, worked(p.Before, p.Concurrency, speed))
		fastest = min(fastest, p.Health.Latency)
	}
	var before, speed float64
	room := 0
	for _, level := range levels {
		for _, p := range level {
			v, known := p.speed()
			if !known { // it had nothing to do: it may be as fast as the fastest
				v = float64(p.Concurrency) / fastest.Seconds()
			}
			before, room, speed = before+p.Before, room+p.Concurrency, speed+v
		}
		if speed > 0 {
			least = min(least, worked(before, room, speed))
		}
	}
	return least
}

// speed returns how many calls the place ends a second, and whether that is known: as many as it did of late, or as its
// concurrency gives at the latency that was seen, whichever is more. One that had little to do was slow for want of work.
func (p Place) speed() (float64, bool) {
	if p.Concurrency <= 0 || p.Health.Latency <= 0 || p.Health.Attempts < evidence {
		return 0, false
	}
	return max(p.Health.Rate, float64(p.Concurrency)/p.Health.Latency.Seconds()), true
}

// worked returns the time in which so many calls that begin before one have left it room: none where there is room now.
func worked(before float64, room int, speed float64) time.Duration {
	wait := (before - float64(room) + 1) / speed * float64(time.Second)
	return time.Duration(min(max(wait, 0), float64(forever/2)))
}
