package simulation_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/simulation"
)

var (
	seeds = flag.Int("seeds", worlds, "run the seeds from 1 to this")
	seed  = flag.Uint64("seed", 0, "run this seed alone, and show its history; 0: many")
)

// Worlds are many, small and gone at once: to collect what is left of them less often saves a third of the time.
const gcPercent = 400

func TestMain(m *testing.M) {
	debug.SetGCPercent(gcPercent)
	goleak.VerifyTestMain(m)
}

// shortening is how many worlds are run to make a failing one short: some seconds.
const shortening = 600

// TestSeeds runs the chain in many worlds, and shows the shortest way that it finds to each invariant that one breaks.
func TestSeeds(t *testing.T) {
	t.Parallel()
	if *seed != 0 {
		s := simulation.New()
		r := s.Run(t, *seed, simulation.Plan{})
		for _, step := range r.History {
			t.Log(step)
		}
		fail(t, s, r)
		return
	}
	shards := runtime.GOMAXPROCS(0)
	for shard := range shards {
		t.Run(fmt.Sprintf("every seed that is %d modulo %d", shard, shards), func(t *testing.T) {
			t.Parallel()
			s := simulation.New()
			steps, faults := 0, 0
			for n := 1 + shard; n <= *seeds; n += shards {
				r := s.Run(t, uint64(n), simulation.Plan{})
				steps, faults = steps+len(r.History), faults+len(r.Faults)
				if r.Violation != nil {
					fail(t, s, r)
					return
				}
			}
			t.Logf("%d steps, %d faults", steps, faults)
		})
	}
}

// fail fails the test if something is wrong with the world, and says what in as few steps as it finds.
func fail(t *testing.T, s *simulation.Simulator, r simulation.Report) {
	if r.Violation != nil {
		t.Error(s.Shorten(t, r, shortening))
	}
}

func TestASeedReplaysExactly(t *testing.T) {
	t.Parallel()
	s, other := simulation.New(), simulation.New()
	for n := range uint64(200) {
		one, two := s.Run(t, n, simulation.Plan{}), other.Run(t, n, simulation.Plan{})
		if one.History.Hash() == two.History.Hash() {
			continue
		}
		for i := range min(len(one.History), len(two.History)) {
			if one.History[i] != two.History[i] {
				t.Fatalf("seed %d: step %d of %d and %d is once\n%v\nand once\n%v", n, i, len(one.History), len(two.History), one.History[i], two.History[i])
			}
		}
		t.Fatalf("seed %d: %d steps once, and once %d", n, len(one.History), len(two.History))
	}
}
