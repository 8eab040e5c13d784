package health

import (
	"math"
	"time"
)

const (
	span    = time.Minute // what the window covers
	buckets = 6
	width   = span / buckets
)

// window counts the attempts of the last minute, to the ten seconds: those of the bucket that is running, and of the five
// before it. The zero value has none.
type window struct {
	Slot  int64            `json:"slot,omitempty"` // the number of the newest bucket since the epoch; Count[Slot%6] is its own
	Count [buckets]counted `json:"count"`
}

// counted is attempts, and those of them that failed through the target's doing.
type counted struct {
	Attempts int64 `json:"n,omitempty"`
	Failures int64 `json:"f,omitempty"`
}

func slotOf(at time.Time) int64 { return at.UnixNano() / int64(width) }

// add counts one attempt. One that is older than the window is not counted.
func (w *window) add(at time.Time, failed bool) {
	slot := slotOf(at)
	if slot <= w.Slot-buckets || slot < 0 {
		return
	}
	for ; w.Slot < slot; w.Slot++ {
		if slot-w.Slot > buckets {
			w.Slot = slot - buckets
		}
		w.Count[(w.Slot+1)%buckets] = counted{}
	}
	c := &w.Count[slot%buckets]
	c.Attempts++
	if failed {
		c.Failures++
	}
}

// at returns what the window holds at the time.
func (w *window) at(t time.Time) counted {
	var sum counted
	slot := slotOf(t)
	for i := range int64(buckets) {
		if s := w.Slot - i; s >= 0 && s > slot-buckets {
			c := w.Count[s%buckets]
			sum.Attempts += c.Attempts
			sum.Failures += c.Failures
		}
	}
	return sum
}

// fade is how long it takes until what was seen counts for 1/e of what it did.
const (
	fade      = 30 * time.Second
	forgotten = 5 * fade // of a rate less than 1 % is left by then: what follows is a new one
)

// figures is how fast attempts end and how long the good ones take: sums in which the old fades away.
type figures struct {
	First time.Time `json:"first,omitzero"` // since when there is something to divide by
	At    time.Time `json:"at,omitzero"`    // of the newest attempt
	Ended float64   `json:"ended,omitempty"`
	Good  float64   `json:"good,omitempty"`
	Took  float64   `json:"took,omitempty"` // seconds, by the good ones
}

// add counts an attempt.
func (f *figures) add(o Outcome) {
	quiet := o.At.Sub(f.At)
	if f.First.IsZero() || quiet > forgotten {
		f.First = o.At
	}
	if quiet > 0 {
		keep := math.Exp(-quiet.Seconds() / fade.Seconds())
		f.Ended, f.Good, f.Took = f.Ended*keep, f.Good*keep, f.Took*keep
		f.At = o.At
	}
	f.Ended++
	if o.Code == "" {
		f.Good++
		f.Took += max(o.Latency, 0).Seconds()
	}
}

// rate returns the attempts that ended a second, of late.
func (f *figures) rate(now time.Time) float64 {
	if f.Ended == 0 {
		return 0
	}
	age := max(now.Sub(f.First), time.Second) // one attempt is no rate of a thousand a second
	quiet := max(now.Sub(f.At), 0)
	// The sum of a steady rate r over the age is r * fade * (1 - e^(-age/fade)).
	return f.Ended * math.Exp(-quiet.Seconds()/fade.Seconds()) / fade.Seconds() / -math.Expm1(-age.Seconds()/fade.Seconds())
}

// latency returns the mean of the good ones, and 0 if there is none.
func (f *figures) latency() time.Duration {
	if f.Good < math.SmallestNonzeroFloat32 {
		return 0
	}
	return time.Duration(f.Took / f.Good * float64(time.Second))
}
