package openaitest

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// Difference is where two servers may answer otherwise, and why that is right.
type Difference struct {
	Calls *regexp.Regexp // the names of the calls
	// Path says which member of the outcome, such as error.message; a * is any member or element. Empty: all of it.
	Path string
	Why  string
}

// Without returns the transcripts without what may be different. It fails the test for a difference that no call has: it is
// not allowed any more than it is needed.
func Without(t testing.TB, all []Transcript, allowed []Difference) []Transcript {
	t.Helper()
	used := make([]bool, len(allowed))
	out := make([]Transcript, len(all))
	for i, tr := range all {
		var v any
		if err := json.Unmarshal(tr.Outcome, &v); err != nil {
			t.Fatal(err)
		}
		for n, d := range allowed {
			if d.Calls.MatchString(tr.Name) && remove(&v, d.Path) {
				used[n] = true
			}
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		out[i] = Transcript{tr.Name, bytes.TrimSpace(b.Bytes())}
	}
	for n, d := range allowed {
		if !used[n] {
			t.Errorf("no call is different at %s in %s", d.Path, d.Calls)
		}
	}
	return out
}

// remove takes out what stands at the path, and reports whether anything did.
func remove(v *any, path string) bool {
	if path == "" {
		*v = nil
		return true
	}
	first, rest, deeper := strings.Cut(path, ".")
	switch at := (*v).(type) {
	case map[string]any:
		removed := false
		for k, member := range at {
			if first != "*" && first != k {
				continue
			}
			if !deeper {
				delete(at, k)
				removed = true
				continue
			}
			removed = remove(&member, rest) || removed
			at[k] = member
		}
		return removed
	case []any:
		removed := false
		if first != "*" || !deeper {
			return false
		}
		for i := range at {
			removed = remove(&at[i], rest) || removed
		}
		return removed
	}
	return false
}
