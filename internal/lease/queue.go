package lease

import "time"

// entry is a key that is to be looked at when it is due.
type entry struct {
	key   string
	token int64 // of the key, when it came in
	bytes int   // of the token's outcome
	due   time.Time
}

// queue holds entries in the order in which they came. The zero value is empty.
type queue struct{ entries []entry }

func (q *queue) push(e entry) { q.entries = append(q.entries, e) }

// pop takes out the first. There must be one.
func (q *queue) pop() entry {
	e := q.entries[0]
	q.entries[0] = entry{} // its key is kept by nobody
	q.entries = q.entries[1:]
	return e
}

// due reports whether the first is due.
func (q *queue) due(now time.Time) bool { return len(q.entries) > 0 && !now.Before(q.entries[0].due) }
