package hop

import (
	"time"

	"baton.dev/baton/internal/seeded"
)

// Backoff is exponential backoff with jitter: a pure function of the try and a seed, so that a step that is repeated after
// a crash computes the same delay. The zero value means the defaults.
//
// The jitter takes off up to half, so delays spread and no two tries come close together ("equal jitter" in M. Brooker,
// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
type Backoff struct {
	Base time.Duration // before the second try; default 500ms
	Max  time.Duration // of any delay; default 5m
}

func (b Backoff) withDefaults() Backoff {
	if b.Base == 0 {
		b.Base = 500 * time.Millisecond
	}
	if b.Max == 0 {
		b.Max = 5 * time.Minute
	}
	return b
}

// Delay returns how long to wait after the try with the given number, from 0, of whatever the seed names.
func (b Backoff) Delay(try int, seed string) time.Duration {
	b = b.withDefaults()
	ceiling := b.Max
	if try < 62 { // 2^62 ns is over a hundred years: beyond it the shift would overflow
		if d := b.Base << max(try, 0); d > 0 && d>>max(try, 0) == b.Base {
			ceiling = min(d, b.Max)
		}
	}
	return ceiling - time.Duration(float64(ceiling/2)*seeded.Unit(seed, try))
}
