package seeded_test

import (
	"fmt"
	"math"
	"testing"

	"baton.dev/baton/internal/seeded"
)

func TestUnitIsSpreadEvenlyOverTextsAndNumbers(t *testing.T) {
	const all, bins = 100_000, 10
	for name, unit := range map[string]func(int) float64{
		"texts":   func(i int) float64 { return seeded.Unit(fmt.Sprintf("0af76519-%d", i), 1) },
		"numbers": func(i int) float64 { return seeded.Unit("0af76519", i) },
	} {
		var count [bins]int
		for i := range all {
			u := unit(i)
			if u < 0 || u >= 1 {
				t.Fatalf("%s: %v is not in [0, 1)", name, u)
			}
			count[int(u*bins)]++
		}
		for bin, n := range count {
			// Five standard deviations of a fair count.
			if limit := 5 * math.Sqrt(all/bins); math.Abs(float64(n)-all/bins) > limit {
				t.Errorf("%s: bin %d has %d of %d", name, bin, n, all)
			}
		}
	}
}

func TestUnitNeverChanges(t *testing.T) {
	// A repeat on another version must decide as the first did.
	if got := seeded.Unit("message", 1); math.Abs(got-0.3974367739231508) > 1e-15 {
		t.Errorf("Unit = %.17g", got)
	}
}
