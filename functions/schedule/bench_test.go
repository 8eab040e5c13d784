package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
)

// BenchmarkSchedule is one event through the function: the decision and the event that follows. What it allocates does not
// depend on how many targets there are.
func BenchmarkSchedule(b *testing.B) {
	for _, strategy := range []string{catalog.Weighted, catalog.RoundRobin, catalog.LeastLatency, catalog.Adaptive} {
		for _, targets := range []int{1, 10, 1000} {
			b.Run(fmt.Sprintf("%s/%d", strategy, targets), func(b *testing.B) {
				m := model("m")
				m.Strategy = strategy
				for i := range targets {
					m.Targets = append(m.Targets, target(fmt.Sprintf("t%d", i), 1+i%7))
				}
				c := offering(m)
				h := schedule.New(schedule.Config{
					Catalog: func() *catalog.Catalog { return c }, Now: func() time.Time { return now }, Health: known{},
				})
				in := request(1)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("all are out/1000", func(b *testing.B) {
		m, h := model("m"), known{}
		for i := range 1000 {
			m.Targets = append(m.Targets, target(fmt.Sprintf("t%d", i), 1))
			h[m.Targets[i].Name] = opened(time.Minute)
		}
		c := offering(m)
		f := schedule.New(schedule.Config{Catalog: func() *catalog.Catalog { return c }, Now: func() time.Time { return now }, Health: h})
		in := failedAt(request(1), "t0", events.CodeTimeout)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(b.Context(), in); err == nil {
				b.Fatal("not parked")
			}
		}
	})
}
