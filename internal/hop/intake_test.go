package hop

import (
	"testing"

	"baton.dev/baton/events"
)

// filled returns an intake with n deliveries waiting in each lane.
func filled(n int, weights ...int) *intake {
	var lanes []Lane
	for i, w := range weights {
		lanes = append(lanes, Lane{Lane: events.Lane{Hop: events.Schedule, Priority: events.Priorities()[i]}, Weight: w})
	}
	in := newIntake(lanes, n)
	for _, l := range in.all() {
		for range n {
			in.add(l, &held{Delivery: Delivery{Event: events.Event{Priority: l.Priority}}})
		}
	}
	return in
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
		in.add(in.all()[1], &held{Delivery: Delivery{Event: events.Event{Priority: events.Normal}}})
	}
	take(t, in, 10)
	for range 20 {
		in.add(in.all()[0], &held{Delivery: Delivery{Event: events.Event{Priority: events.High}}})
	}
	if got := take(t, in, 10); got[events.High] < 4 || got[events.High] > 6 {
		t.Errorf("took %v, want half of each", got)
	}
}

func TestRoomIsAskedForInHalves(t *testing.T) {
	in := filled(10, 1)
	l := in.all()[0]
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
	if in.add(in.all()[0], &held{}) || in.room(in.all()[0]) != 0 {
		t.Error("a closed intake takes more")
	}
}

// apart returns an intake with one priority: a shared lane and those of the tenants, with n deliveries in each.
func apart(n int, tenants ...string) *intake {
	lanes := []Lane{{Lane: events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "a"}}}
	for _, name := range tenants {
		lanes = append(lanes, Lane{
			Lane: events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "a", Tenant: name}, Passing: true,
		})
	}
	in := newIntake(lanes, n)
	for _, l := range in.all() {
		for range n {
			in.add(l, &held{Delivery: Delivery{Event: events.Event{Tenant: l.Tenant}}})
		}
	}
	return in
}

func TestTenantsShareAPriorityAlike(t *testing.T) {
	in := apart(100, "one", "two")
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

func TestALaneThatLeavesTakesNoTurnWithIt(t *testing.T) {
	in := apart(4, "one", "two")
	all := in.all()
	if in.leave(all[1]) {
		t.Fatal("a lane left with deliveries in it")
	}
	for range 12 {
		in.next()
	}
	if !in.leave(all[1]) || len(in.all()) != 2 {
		t.Fatal("an empty lane stayed")
	}
	if in.open(all[0].Lane) != nil || in.open(all[1].Lane) == nil {
		t.Error("a lane is open twice, or one that left cannot come back")
	}
	in.add(all[0], &held{Delivery: Delivery{Event: events.Event{Tenant: "shared"}}})
	in.add(all[2], &held{Delivery: Delivery{Event: events.Event{Tenant: "two"}}})
	a, _ := in.next()
	b, _ := in.next()
	if a.Event.Tenant == b.Event.Tenant {
		t.Errorf("two turns went to %s", a.Event.Tenant)
	}
}
