package lease_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/lease"
	"baton.dev/baton/internal/lease/leasetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	leasetest.Run(t, func(*testing.T) lease.Store { return lease.NewMemory() })
}

// attempts is what a process does with a store: leases that are taken and finished.
type attempts struct {
	*testing.T

	store *lease.Memory
	now   time.Time
	n     int
}

func newAttempts(t *testing.T) *attempts {
	return &attempts{t, lease.NewMemory(), time.Unix(1e9, 0), 0}
}

// make makes an attempt whose outcome has so many bytes and is kept for ten minutes.
func (a *attempts) make(bytes int) (key string, token int64) {
	a.Helper()
	a.n++
	key = fmt.Sprint("attempt-", a.n)
	g := a.acquire(key)
	if ok, err := a.store.Finish(a.Context(), key, g.Token, a.now, make([]byte, bytes), 10*time.Minute); !ok || err != nil {
		a.Fatal(ok, err)
	}
	return key, g.Token
}

func (a *attempts) acquire(key string) lease.Grant {
	a.Helper()
	g, err := a.store.Acquire(a.Context(), key, a.now, ttl)
	if err != nil {
		a.Fatal(err)
	}
	return g
}

func TestMemoryForgetsWhatNobodyNeeds(t *testing.T) {
	t.Parallel()
	a := newAttempts(t)
	for range 3600 {
		a.make(1000)
		a.now = a.now.Add(time.Second)
	}
	keys, bytes := a.store.Held()
	if bytes != 600*1000 {
		t.Errorf("it keeps %d bytes, want those of ten minutes", bytes)
	}
	if least, most := 25*60, 40*60+30; keys < least || keys > most { // one may wait behind another that was taken after it
		t.Errorf("it remembers %d keys, want %d to %d", keys, least, most)
	}
	a.now = a.now.Add(time.Hour)
	a.acquire("one")
	a.now = a.now.Add(time.Hour)
	a.acquire("another")
	if keys, bytes := a.store.Held(); keys != 1 || bytes != 0 {
		t.Errorf("it keeps %d keys and %d bytes when all is over", keys, bytes)
	}
}

func TestMemoryKeepsTheLatestOutcomesOfManyBytes(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	a := newAttempts(t)
	first, token := a.make(4 * mib)
	var last string
	for range 16 {
		last, _ = a.make(4 * mib)
	}
	if _, bytes := a.store.Held(); bytes != 64*mib {
		t.Errorf("it keeps %d bytes", bytes)
	}
	if g := a.acquire(last); len(g.Outcome) != 4*mib {
		t.Errorf("the last: %d, %v, want its outcome", g.Token, g.Until)
	}
	if ok, err := a.store.Finish(t.Context(), first, token, a.now, []byte("again"), time.Minute); !ok || err != nil {
		t.Errorf("the holder whose outcome went finishes again: %t, %v", ok, err)
	}
	if g := a.acquire(first); g.Token <= token {
		t.Errorf("the first: %+v, want a token over %d", g, token)
	}
}

// An outcome that is kept no more may wait behind one that is kept for longer. When it goes, what came after it stays.
func TestMemoryDropsNoOutcomeForAnotherOfItsKey(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	a := newAttempts(t)
	finish := func(key string, bytes int, keep time.Duration) {
		t.Helper()
		g := a.acquire(key)
		if ok, err := a.store.Finish(t.Context(), key, g.Token, a.now, make([]byte, bytes), keep); !ok || err != nil {
			t.Fatalf("finish %s: %+v, %t, %v", key, g, ok, err)
		}
	}
	finish("long", 1, time.Hour)
	finish("key", 1, time.Minute)
	a.now = a.now.Add(time.Minute)
	finish("key", 2, time.Hour)
	for range 15 {
		a.make(4 * mib)
	}
	a.make(4*mib - 2) // so that two bytes are too many, which are the first two
	if g := a.acquire("key"); len(g.Outcome) != 2 {
		t.Errorf("the key: %+v, want its second outcome", g)
	}
	if g := a.acquire("long"); g.Token == 0 {
		t.Errorf("the oldest is kept: %+v", g)
	}
}
