package presence

import "time"

// SetClock makes the watch go by another clock, from which it has just begun.
func (w *Watch) SetClock(now func() time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.began = now, now()
}
