package answers_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/answers/answerstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	answerstest.Run(t, func(*testing.T) answerstest.Place {
		m := answers.NewMemory()
		return answerstest.Place{Open: func() answers.Store { return m }}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m, value := answers.NewMemory(), make([]byte, 1<<20)
	const puts = 200
	for n := range puts {
		if err := m.Put(t.Context(), strconv.Itoa(n), value, time.Now(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (n int) {
		for i := range puts {
			if _, err := m.Get(t.Context(), strconv.Itoa(i)); err == nil {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); kept() > 64; { // it makes room beside the one that puts
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB of values are kept", kept())
		}
		<-time.After(time.Millisecond)
	}
}

func TestMemoryGoesByTheClockItIsGiven(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	m := answers.NewMemory().WithClock(func() time.Time { return now })
	if err := m.Put(t.Context(), "k", []byte("v"), now, time.Minute); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute - 1)
	if _, err := m.Get(t.Context(), "k"); err != nil {
		t.Errorf("get in its last moment: %v", err)
	}
	now = now.Add(1)
	if _, err := m.Get(t.Context(), "k"); !errors.Is(err, answers.ErrNotFound) {
		t.Errorf("get when its time is over: %v", err)
	}
}
