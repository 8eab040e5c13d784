package simulation

import "time"

// chance draws what a seed decides. A draw depends on the seed, a name and a number alone, so that draws do not move when
// others fall away.
type chance uint64

// draw returns 64 evenly spread bits.
func (c chance) draw(name string, n int) uint64 {
	// FNV-1a (draft-eastlake-fnv), and the finalizer of SplitMix64 (G. Steele and others, OOPSLA 2014).
	h := uint64(14695981039346656037) ^ uint64(c)*0x9e3779b97f4a7c15
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= uint64(n+1) * 0xd1342543de82ef95
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// unit returns a number in [0, 1).
func (c chance) unit(name string, n int) float64 { return float64(c.draw(name, n)>>11) / (1 << 53) }

// upTo returns a number from 0 to most, inclusive.
func (c chance) upTo(name string, n, most int) int { return int(c.draw(name, n) % uint64(most+1)) }

// between returns a duration of [least, most).
func (c chance) between(name string, n int, least, most time.Duration) time.Duration {
	return least + time.Duration(c.unit(name, n)*float64(most-least))
}
