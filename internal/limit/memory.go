package limit

import (
	"context"
	"sync"
	"time"
)

// Memory is a [Store] in this process. It is safe for concurrent use. It keeps a few bytes for each key it ever saw: keys
// are names of tenants, of which there are as many as the configuration has.
type Memory struct {
	mu    sync.Mutex
	epoch time.Time          // times are seconds since, so that a float64 has room for what is below one
	until map[string]float64 // when what was used is made good: the theoretical arrival time of the next request
}

// NewMemory returns a store in which nothing was used.
func NewMemory() *Memory { return &Memory{until: map[string]float64{}} }

// Take implements [Store].
func (m *Memory) Take(_ context.Context, key string, r Rate, now time.Time) (Answer, error) {
	return m.take(key, r, now), nil
}

func (m *Memory) take(key string, r Rate, now time.Time) Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch.IsZero() {
		m.epoch = now
	}
	at, interval := now.Sub(m.epoch).Seconds(), r.Interval().Seconds()
	until := max(m.until[key], at)
	allowed := until+interval-at <= interval*(float64(r.Quota())+rounding)
	if allowed {
		until += interval
		m.until[key] = until
	}
	return r.Answer(allowed, seconds(until-at))
}
