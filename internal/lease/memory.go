package lease

import (
	"context"
	"slices"
	"sync"
	"time"
)

// mostKept bounds the bytes of outcomes that a [Memory] keeps: minutes of a busy process, and little beside what else a
// process takes.
const mostKept = 64 << 20

// Memory is a [Store] in the memory of this process: for tests and simulation, and for a process that has no other or goes
// on without it, where it keeps two workers of the process apart. It keeps 64 MiB of outcomes at most: beyond that the
// oldest goes, and its work is done again if it is repeated. The zero value is ready to use.
type Memory struct {
	mu       sync.Mutex
	records  map[string]record
	outcomes queue // due when they are kept no more
	bytes    int   // of outcomes
	known    queue // every record once; due when it may be forgotten, unless it was put again since
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
	until   time.Time // held: when the lease is over; finished: how long the outcome is kept; zero when it is not
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
	m.sweep(now)
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
		until := now.Add(keep)
		m.put(key, record{
			token: token, state: finished, until: until, outcome: slices.Clone(outcome), forget: until.Add(Remembered),
		})
		m.outcomes.push(entry{key, token, len(outcome), until})
		for m.bytes += len(outcome); m.bytes > mostKept; {
			m.drop(m.outcomes.pop())
		}
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
	if _, known := m.records[key]; !known {
		m.known.push(entry{key: key, due: r.forget})
	}
	m.records[key] = r
}

// drop keeps an outcome no more. That the token's holder finished is remembered.
func (m *Memory) drop(e entry) {
	m.bytes -= e.bytes
	if r := m.records[e.key]; r.token == e.token && r.state == finished {
		r.outcome, r.until = nil, time.Time{}
		m.records[e.key] = r
	}
}

// sweep drops the outcomes that are kept no more, and forgets the records that may go. It looks at those that are due and at
// no others, in the order in which they came: one that is due behind one that is not waits for it, which is no longer than
// the other lasts.
func (m *Memory) sweep(now time.Time) {
	for m.outcomes.due(now) {
		m.drop(m.outcomes.pop())
	}
	for m.known.due(now) {
		e := m.known.pop()
		if r := m.records[e.key]; r.forget.After(now) {
			m.known.push(entry{key: e.key, due: r.forget})
		} else {
			delete(m.records, e.key)
		}
	}
}
