package schedule

import (
	"testing"
	"time"
)

func TestATurnIsTakenOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var o offers
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Second, true}, {1999 * time.Millisecond, false}, {time.Hour, true}} {
		now := at.Add(step.after)
		if free, took := o.free("a", now), o.take("a", now); free != step.want || took != step.want {
			t.Errorf("step %d: free %v, took %v, want %v", i, free, took, step.want)
		}
	}
}
