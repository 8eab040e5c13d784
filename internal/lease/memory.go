package lease

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of this process: for tests and simulation, and for a process that has no other or goes
// on without it, where it keeps two workers of the process apart. The zero value is ready to use.
type Memory struct {
	mu      sync.Mutex
	records map[string]record
	swept   time.Time
}

// state is what has become of the last token of a key.
type state int

const (
	held state = iota
	freed
	finished
)

type record struct {
	token   int64
	state   state
	until   time.Time // held: when the lease is over; finished: how long the outcome is kept
	outcome []byte
	forget  time.Time // the record may go
}

// NewMemory returns a store with nothing in it.
func NewMemory() *Memory { return &Memory{} }

// Acquire implements [Store].
func (m *Memory) Acquire(_ context.Context, key string, now time.Time, ttl time.Duration) (Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	r := m.records[key]
	if now.Before(r.until) {
		switch r.state {
		case held:
			return Grant{Until: r.until}, nil
		case finished:
			return Grant{Outcome: slices.Clone(r.outcome)}, nil
		case freed: // until nothing
		}
	}
	token := max(now.UnixMicro(), r.token+1)
	m.hold(key, token, now, ttl)
	return Grant{Token: token}, nil
}

// Renew implements [Store].
func (m *Memory) Renew(_ context.Context, key string, token int64, now time.Time, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.records[key]
	if fenced(r, known, token, now) || (r.token == token && r.state != held) {
		return false, nil
	}
	m.hold(key, token, now, ttl)
	return true, nil
}

// Finish implements [Store].
func (m *Memory) Finish(
	_ context.Context, key string, token int64, now time.Time, outcome []byte, keep time.Duration,
) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.records[key]
	switch {
	case fenced(r, known, token, now):
		return false, nil
	case r.token == token && r.state == finished:
		return true, nil
	case r.token == token && r.state == freed:
		return outcome == nil, nil
	case outcome == nil:
		m.put(key, record{token: token, state: freed, forget: now.Add(Remembered)})
	default:
		m.put(key, record{
			token: token, state: finished, until: now.Add(keep), outcome: slices.Clone(outcome),
			forget: now.Add(keep).Add(Remembered),
		})
	}
	return true, nil
}

// fenced reports whether a larger token than the given one is known, or may have been.
func fenced(r record, known bool, token int64, now time.Time) bool {
	if !known {
		return now.Sub(time.UnixMicro(token)) > Remembered
	}
	return r.token > token
}

func (m *Memory) hold(key string, token int64, now time.Time, ttl time.Duration) {
	until := now.Add(ttl)
	m.put(key, record{token: token, state: held, until: until, forget: until.Add(Remembered)})
}

func (m *Memory) put(key string, r record) {
	if m.records == nil {
		m.records = map[string]record{}
	}
	m.records[key] = r
}

// sweep forgets the records that may go, once a minute.
func (m *Memory) sweep(now time.Time) {
	if now.Sub(m.swept) < time.Minute {
		return
	}
	m.swept = now
	for key, r := range m.records {
		if r.forget.Before(now) {
			delete(m.records, key)
		}
	}
}
