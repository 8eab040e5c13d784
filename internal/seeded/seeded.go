// Package seeded makes numbers that look random and depend on their seed alone, so that a step that is repeated after a
// crash decides as it did before.
package seeded

// Unit returns a number in [0, 1) that depends on the text and n alone, evenly spread over both.
func Unit(text string, n int) float64 {
	// FNV-1a (draft-eastlake-fnv), and MurmurHash3's finalizer (A. Appleby) to spread its last bytes over all bits.
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h ^= uint64(n) * 0x9e3779b97f4a7c15
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return float64(h>>11) / (1 << 53) // a float64 holds 53 bits
}
