package hop

import (
	"strconv"
	"testing"
	"testing/synctest"

	"baton.dev/baton/events"
)

// filled returns an intake with n deliveries waiting in each lane.
func filled(n int, weights ...int) *intake {
	in := newIntake(n)
	in.size(1, n)
	for i, w := range weights {
		l := in.open(Lane{Lane: events.Lane{Hop: events.Schedule, Priority: events.Priorities()[i]}, Weight: w})
		for range n {
			in.add(l, &held{Delivery: Delivery{Event: events.Event{Priority: l.Priority}}})
		}
	}
	return in
}

// at returns the lane of a priority that a filled intake has.
func at(in *intake, p events.Priority) *lane {
	return in.lanes[events.Lane{Hop: events.Schedule, Priority: p}]
}

// take takes n deliveries out and counts them by priority.
func take(t *testing.T, in *intake, n int) map[events.Priority]int {
	t.Helper()
	got := map[events.Priority]int{}
	for range n {
		h, ok := in.next()
		if !ok {
			t.Fatal("the intake is closed")
		}
		got[h.Event.Priority]++
	}
	return got
}

func TestLanesShareByWeight(t *testing.T) {
	in := filled(100, 8, 3, 1)
	for range 8 { // in every round, not only on average: none waits longer than a round
		got := take(t, in, 12)
		if got[events.High] != 8 || got[events.Normal] != 3 || got[events.Low] != 1 {
			t.Fatalf("a round gave %v, want 8, 3 and 1", got)
		}
	}
}

func TestLanesLeaveNoTurnUnused(t *testing.T) {
	in := filled(10, 8, 3, 1)
	got := take(t, in, 30)
	if got[events.High] != 10 || got[events.Normal] != 10 || got[events.Low] != 10 {
		t.Errorf("took %v, want all", got)
	}
}

func TestAnEmptyLaneSavesUpNothing(t *testing.T) {
	in := filled(50, 1, 1)
	take(t, in, 100)
	for range 20 {
		in.add(at(in, events.Normal), &held{Delivery: Delivery{Event: events.Event{Priority: events.Normal}}})
	}
	take(t, in, 10)
	for range 20 {
		in.add(at(in, events.High), &held{Delivery: Delivery{Event: events.Event{Priority: events.High}}})
	}
	if got := take(t, in, 10); got[events.High] < 4 || got[events.High] > 6 {
		t.Errorf("took %v, want half of each", got)
	}
}

func TestRoomIsAskedForInHalves(t *testing.T) {
	in := filled(10, 1)
	l := at(in, events.High)
	take(t, in, 5)
	if got := in.room(l); got != 5 {
		t.Errorf("half empty, the lane takes %d, want 5", got)
	}
	take(t, in, 5)
	if got := in.room(l); got != 10 {
		t.Errorf("empty, the lane takes %d, want 10", got)
	}
}

func TestAClosedIntakeHandsOverWhatWaits(t *testing.T) {
	in := filled(3, 1, 1)
	if got := len(in.close()); got != 6 {
		t.Errorf("closing handed over %d, want 6", got)
	}
	if _, ok := in.next(); ok {
		t.Error("a closed intake has a next")
	}
	if l := at(in, events.High); in.add(l, &held{}) || in.room(l) != 0 {
		t.Error("a closed intake takes more")
	}
}

// apart returns an intake with one priority: a shared lane and those of the tenants, with n deliveries in each; and the lanes.
func apart(n int, tenants ...string) (*intake, []*lane) {
	in := newIntake(n)
	in.size(1, n)
	var lanes []*lane
	for _, name := range append([]string{""}, tenants...) {
		l := in.open(Lane{
			Lane:    events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "a", Tenant: name},
			Passing: name != "",
		})
		lanes = append(lanes, l)
		for range n {
			in.add(l, &held{Delivery: Delivery{Event: events.Event{Tenant: l.Tenant}}})
		}
	}
	return in, lanes
}

func TestTenantsShareAPriorityAlike(t *testing.T) {
	in, _ := apart(100, "one", "two")
	for range 20 {
		got := map[string]int{}
		for range 3 {
			h, _ := in.next()
			got[h.Event.Tenant]++
		}
		if got[""] != 1 || got["one"] != 1 || got["two"] != 1 {
			t.Fatalf("three turns went to %v, want one each", got)
		}
	}
}

// A tenant with one event at a time gets as many turns as one with a backlog.
func TestALaneThatIsFilledAgainWaitsOneRound(t *testing.T) {
	in, lanes := apart(0, "backlog", "trickle")
	in.size(1, 200)
	for range 100 {
		in.add(lanes[0], &held{Delivery: Delivery{Event: events.Event{}}})
		in.add(lanes[1], &held{Delivery: Delivery{Event: events.Event{Tenant: "backlog"}}})
	}
	for range 50 {
		in.add(lanes[2], &held{Delivery: Delivery{Event: events.Event{Tenant: "trickle"}}})
		turns := 0
		for came := false; !came; turns++ {
			h, _ := in.next()
			came = h.Event.Tenant == "trickle"
		}
		if turns > 3 {
			t.Fatalf("it came as number %d, of three lanes", turns)
		}
	}
}

func TestALaneThatLeavesTakesNoTurnWithIt(t *testing.T) {
	in, lanes := apart(4, "one", "two")
	if in.leave(lanes[1]) {
		t.Fatal("a lane left with deliveries in it")
	}
	for range 12 {
		in.next()
	}
	if !in.leave(lanes[1]) || in.has(lanes[1].Lane.Lane) || !in.has(lanes[2].Lane.Lane) {
		t.Fatal("an empty lane stayed, or another left with it")
	}
	if in.open(lanes[0].Lane) != nil || in.open(lanes[1].Lane) == nil {
		t.Error("a lane is open twice, or one that left cannot come back")
	}
	in.add(lanes[0], &held{Delivery: Delivery{Event: events.Event{Tenant: "shared"}}})
	in.add(lanes[2], &held{Delivery: Delivery{Event: events.Event{Tenant: "two"}}})
	a, _ := in.next()
	b, _ := in.next()
	if a.Event.Tenant == b.Event.Tenant {
		t.Errorf("two turns went to %s", a.Event.Tenant)
	}
}

func TestWeightsChangeUnderWay(t *testing.T) {
	in := filled(200, 8, 3, 1)
	take(t, in, 7) // in the middle of a round
	in.weigh(map[events.Priority]int{events.High: 1, events.Normal: 1, events.Low: 4})
	for range 8 {
		got := take(t, in, 6)
		if got[events.High] != 1 || got[events.Normal] != 1 || got[events.Low] != 4 {
			t.Fatalf("a round gave %v, want 1, 1 and 4", got)
		}
	}
	in.weigh(map[events.Priority]int{events.Low: 0})
	if got := take(t, in, 3); got[events.High] != 1 || got[events.Normal] != 1 || got[events.Low] != 1 {
		t.Errorf("a round gave %v, want one each: a weight of 0 counts as 1, and others keep theirs", got)
	}
}

// The cost of a choice and of opening a lane must not grow with the lanes that are open and empty.
func BenchmarkIntakeOfManyTenants(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			in := newIntake(4)
			in.size(1, 4)
			var lanes []*lane
			for i := range n {
				lanes = append(lanes, in.open(Lane{
					Lane: events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "t", Tenant: strconv.Itoa(i)}, Passing: true,
				}))
			}
			h := &held{}
			for b.Loop() {
				in.open(lanes[n/2].Lane)
				in.add(lanes[n-1], h)
				in.next()
			}
		})
	}
}

func TestALaneTakesNoMoreWhileWhatWaitsInItIsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newIntake(64)
		in.size(1, 64)
		l := in.open(Lane{Lane: events.Lane{Hop: events.Schedule, Priority: events.High}})
		large := events.Event{Data: make([]byte, 9<<20)}
		for range 2 {
			in.add(l, &held{Delivery: Delivery{Event: large}})
		}
		room := make(chan int, 1)
		go func() { room <- in.room(l) }()
		synctest.Wait()
		if len(room) > 0 {
			t.Error("more is asked for")
		}
		in.next()
		synctest.Wait()
		if len(room) != 1 || <-room != 63 {
			t.Error("no more is asked for when one is taken out")
		}
	})
}
