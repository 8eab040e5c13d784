package redisstate

import (
	"net/url"
	"time"
)

// tagged returns the key of what a noun keeps of a subject. All keys of one subject are in one slot of a cluster, since the
// subject is their hash tag; it is escaped, so that brackets in it do not end the tag.
func tagged(noun, subject string) string {
	return "baton:" + noun + ":{" + url.PathEscape(subject) + "}"
}

// millis returns the duration as Redis takes an expiry: in milliseconds, rounded up, and more than none.
func millis(d time.Duration) int64 { return max(1, (d + time.Millisecond - 1).Milliseconds()) }
