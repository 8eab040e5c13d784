package simulation

import (
	"math"
	"math/rand/v2"
	"time"

	"baton.dev/baton/internal/catalog"
)

// scenario is what a seed sets up: who is there, what is asked, and what goes wrong when.
type scenario struct {
	processes int
	calm      bool               // nothing is wrong with what processes share, and the configuration stays
	catalogs  []*catalog.Catalog // the configurations, in the order they come
	requests  []request
	rates     map[Fault]float64 // of an effect, by fault
	faults    time.Duration     // how long there are faults
	turns     []turn
	targets   map[string][]phase // by target: how its model does
	receivers map[string][]phase // by host
}

// turn is something that happens in the world at a time.
type turn struct {
	at   time.Duration
	what string // crash, stop, stall, freeze, reload, away, redrive
	n    int    // which process, or which configuration
	long time.Duration
}

// phase is how a model or a receiver does from a time on.
type phase struct {
	from time.Duration
	mode string
}

// draw sets up what the seed decides.
func draw(seed uint64) *scenario {
	r := &drawing{Rand: rand.New(rand.NewPCG(seed, 0x6261746f6e)), s: &scenario{
		rates: map[Fault]float64{}, targets: map[string][]phase{}, receivers: map[string][]phase{},
	}}
	r.s.processes = 1 + r.IntN(3)
	r.s.faults = r.duration(5*time.Second, 40*time.Second)
	r.configurations()
	r.ask()
	switch r.IntN(16) {
	case 0:
		r.flood()
	case 1, 2:
		r.burst()
	}
	if !r.one(12) { // some worlds have no faults at all
		r.trouble()
	}
	return r.s
}

// drawing is a scenario in the making.
type drawing struct {
	*rand.Rand
	s       *scenario
	models  []string
	tenants []string
	names   []string // of targets
}

func (r *drawing) one(in int) bool { return r.IntN(in) == 0 }

func (r *drawing) duration(least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func oneOf[T any](r *drawing, all ...T) T { return all[r.IntN(len(all))] }

// trouble draws what goes wrong. Which kinds of faults there are differs from world to world, and how many: in a world with
// all of them, each hides the others (A. Groce and others, Swarm Testing, ISSTA 2012).
func (r *drawing) trouble() {
	for _, f := range []Fault{Fails, LosesAnswer, Late, Lost, Doubled} {
		if r.one(2) {
			r.s.rates[f] = 0.002 * math.Pow(40, r.Float64()) // to 8 %
		}
	}
	for _, f := range []Fault{CrashBefore, CrashAfter} {
		if r.one(2) {
			r.s.rates[f] = 0.0005 * math.Pow(20, r.Float64()) // to 1 %
		}
	}
	for n := range r.s.processes {
		for range r.IntN(3) {
			r.turn(oneOf(r, "crash", "stop"), n, r.duration(10*time.Millisecond, 15*time.Second))
		}
		for range r.IntN(len(r.s.catalogs)) {
			r.turn("reload", n, 0)
		}
	}
	if !r.s.calm {
		r.lapses()
	}
	for range r.IntN(3) {
		r.turn("redrive", 0, 0)
	}
	for _, name := range r.names {
		r.s.targets[name] = r.phases("well", "well", "slow", "failing", "flapping", "limited", "spent", "hanging", "useless", "locked")
	}
	for _, host := range []string{"one.example.com", "two.example.com"} {
		r.s.receivers[host] = r.phases("well", "well", "down", "failing", "busy", "gone", "deaf")
	}
}

// lapses draws what keeps processes from what they share.
func (r *drawing) lapses() {
	for range r.IntN(3) {
		r.turn("away", 0, r.duration(100*time.Millisecond, 10*time.Second))
	}
	for n := range r.s.processes {
		if r.one(3) {
			r.turn(oneOf(r, "stall", "freeze"), n, r.duration(time.Second, 15*time.Second))
		}
	}
}

func (r *drawing) turn(what string, n int, long time.Duration) {
	r.s.turns = append(r.s.turns, turn{r.duration(0, r.s.faults), what, n, long})
}

// phases draws how somebody does over time: most are well throughout.
func (r *drawing) phases(modes ...string) []phase {
	if r.one(2) {
		return nil
	}
	var all []phase
	for at := time.Duration(0); at < r.s.faults; at += r.duration(time.Second, 20*time.Second) {
		all = append(all, phase{at, oneOf(r, modes...)})
	}
	return all
}

// modeAt returns how somebody does at a time.
func modeAt(phases []phase, at time.Duration) string {
	mode := "well"
	for _, p := range phases {
		if p.from <= at {
			mode = p.mode
		}
	}
	return mode
}
