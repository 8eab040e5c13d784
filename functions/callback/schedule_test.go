package callback

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// contract is the schedule of the contract's section 5.
var contract = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

var errReceiver = errors.New("status 500")

func outcome(tries int, named time.Duration) hop.Outcome {
	in := events.Event{ID: "m-completed-1", Tries: tries}
	return hop.Limits{Tries: 100}.Classify(in, again(contract, in, named, errReceiver))
}

func TestTheScheduleIsTheContracts(t *testing.T) {
	t.Parallel()
	for tries, base := range contract[1:] {
		o := outcome(tries, 0)
		if o.Kind != hop.Retry || o.After < base*9/10 || o.After > base*11/10 {
			t.Errorf("after try %d: %s in %v, want a retry in %v, a tenth more or less", tries, o.Kind, o.After, base)
		}
		if !errors.Is(o.Err, errReceiver) {
			t.Errorf("after try %d the error is %v", tries, o.Err)
		}
	}
	for _, tries := range []int{len(contract) - 1, len(contract), 1000} {
		if o := outcome(tries, time.Hour); o.Kind != hop.Dead || o.Reason != events.ReasonUndelivered {
			t.Errorf("after try %d: %s %s, want it dead, undelivered", tries, o.Kind, o.Reason)
		}
	}
}

func TestADelayTheReceiverNamedHoldsIfItIsTheLongerOne(t *testing.T) {
	t.Parallel()
	if o := outcome(0, time.Hour); o.After != time.Hour {
		t.Errorf("got %v, want the hour that was named instead of 5s", o.After)
	}
	if o := outcome(4, time.Second); o.After < 4*time.Hour {
		t.Errorf("got %v, want the schedule's 5h and not the second that was named", o.After)
	}
}

func TestNoScheduleMeansOneTry(t *testing.T) {
	t.Parallel()
	in := events.Event{ID: "m-completed-1"}
	o := hop.Limits{Tries: 100}.Classify(in, again(nil, in, 0, errReceiver))
	if o.Kind != hop.Dead || o.Reason != events.ReasonUndelivered {
		t.Errorf("got %s %s, want it dead, undelivered", o.Kind, o.Reason)
	}
}

func TestJitterIsAPureFunctionThatSpreads(t *testing.T) {
	t.Parallel()
	const n = 10_000
	base := 10 * time.Hour
	seen := map[time.Duration]bool{}
	var sum time.Duration
	for i := range n {
		id := fmt.Sprintf("message-%d-completed-1", i)
		d := jittered(base, id, 7)
		if d != jittered(base, id, 7) {
			t.Fatal("the same step has another delay the second time")
		}
		if d < 9*time.Hour || d > 11*time.Hour {
			t.Fatalf("%v is over a tenth away from %v", d, base)
		}
		seen[d] = true
		sum += d - base
	}
	if len(seen) < n*99/100 {
		t.Errorf("%d ids have only %d delays", n, len(seen))
	}
	if mean := sum / n; mean.Abs() > time.Minute { // its deviation is 2h/sqrt(12)/sqrt(n), 21s
		t.Errorf("the mean is %v off", mean)
	}
	if jittered(base, "m", 6) == jittered(base, "m", 7) {
		t.Error("two tries have the same jitter")
	}
	if d := jittered(0, "m", 0); d != 0 {
		t.Errorf("no delay became %v", d)
	}
}
