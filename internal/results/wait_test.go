package results_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/results"
)

// deaf is cells whose hints are all lost.
type deaf struct{ results.Cells }

func (deaf) Watch(context.Context, string) (<-chan struct{}, func(), error) {
	return make(chan struct{}), func() {}, nil
}

func TestAWaitFindsTheResultThoughEveryHintIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := results.New(deaf{results.NewMemory()})
		if _, err := s.Accept(t.Context(), "m", results.Acceptance{Tenant: "t", AcceptedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() {
			if _, err := s.End(t.Context(), "m", results.Ending{EventID: "e", Status: events.StatusFailed}); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		st, err := s.Wait(ctx, "m")
		if took := time.Since(began); err != nil || st.Status() != events.StatusFailed || took > 12*time.Second {
			t.Errorf("waited %v for %s, %v", took, st.Status(), err)
		}
	})
}

func TestARequestIsExpectedThatIsNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := results.New(results.NewMemory())
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Expect(soon, "m"); !errors.Is(err, results.ErrNotFound) || soon.Err() == nil {
			t.Errorf("of a request that does not come: %v", err)
		}
		began := time.Now()
		time.AfterFunc(10500*time.Millisecond, func() {
			if _, err := s.Accept(t.Context(), "m", results.Acceptance{Tenant: "t", AcceptedAt: time.Now()}); err != nil {
				t.Error(err)
			}
			if _, err := s.End(t.Context(), "m", results.Ending{EventID: "e", Status: events.StatusFailed}); err != nil {
				t.Error(err)
			}
		})
		st, err := s.Expect(t.Context(), "m")
		if took := time.Since(began); err != nil || st.Status() != events.StatusFailed || took > 10600*time.Millisecond {
			t.Errorf("after %v it stands at %s, %v", took, st.Status(), err)
		}
	})
}
