package sqsbus

import "time"

// SetNow sets the clock, before the transport is used.
func (b *Bus) SetNow(now func() time.Time) { b.now = now }
