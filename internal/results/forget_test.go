package results_test

import (
	"testing"
	"time"

	"baton.dev/baton/internal/results"
)

func TestARequestIsForgottenOnceAndForAll(t *testing.T) {
	t.Parallel()
	s := results.New(results.NewMemory())
	if gone, err := s.Forgotten(t.Context(), "m"); gone || err != nil {
		t.Errorf("forgotten at first: %v, %v", gone, err)
	}
	for range 2 {
		if err := s.Forget(t.Context(), "m", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := s.Forgotten(t.Context(), "m"); !gone || err != nil {
		t.Errorf("forgotten: %v, %v", gone, err)
	}
	if gone, err := s.Forgotten(t.Context(), "n"); gone || err != nil {
		t.Errorf("another is forgotten: %v, %v", gone, err)
	}
}
