package catalog

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
)

// content follows what is in a file, or in several, from look to look.
type content struct {
	judged  [sha256.Size]byte // what was taken over or refused last
	seen    [sha256.Size]byte // what was there at the last look
	refusal string            // why what was judged is not accepted; empty: it was not valid, or taken over
}

// due notes what a look saw and reports whether it is to be judged: what is new, once it stood from one look to the next, and
// what was not accepted, for as long as it stands.
func (c *content) due(sum [sha256.Size]byte) bool {
	settled := sum == c.seen
	c.seen = sum
	switch {
	case sum == c.judged:
		return c.refusal != ""
	case settled:
		c.settle(sum)
		return true
	default:
		return false
	}
}

// settle notes what was judged.
func (c *content) settle(sum [sha256.Size]byte) {
	*c = content{judged: sum, seen: sum}
}

// refuse notes why what was judged is not accepted, and reports whether the reason is a new one.
func (c *content) refuse(err error) bool {
	before := c.refusal
	c.refusal = err.Error()
	return c.refusal != before
}

// secretFiles returns a word for what the files hold that the catalog's secrets are in. A file that cannot be read counts as one
// that holds the reason.
func (c *Catalog) secretFiles() [sha256.Size]byte {
	files := map[string]bool{}
	for _, r := range c.references {
		if path, ok := strings.CutPrefix(string(r.secret), "file:"); ok {
			files[path] = true
		}
	}
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(files)) {
		b, err := readAtMost(path, maxSecret)
		if err != nil {
			b = []byte(err.Error())
		}
		sum := sha256.Sum256(b)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
