package sqsbus_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"baton.dev/baton/internal/hop"
)

// held returns a delivery that was received so long ago, and the visibilities that are asked for.
func held(t *testing.T, ago time.Duration) (hop.Delivery, func() []int32) {
	t.Helper()
	var asked recorder[sqs.ChangeMessageVisibilityBatchInput]
	b, _, _ := setup(t, nil, asked.option())
	if err := b.Publish(t.Context(), requested(1)); err != nil {
		t.Fatal(err)
	}
	var passed atomic.Int64
	b.SetNow(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) })
	d := receive(t, b, normalLane, 1)[0]
	passed.Store(int64(ago))
	return d, func() []int32 {
		var all []int32
		for _, in := range asked.calls() {
			for _, e := range in.Entries {
				all = append(all, e.VisibilityTimeout)
			}
		}
		return all
	}
}

func TestADeliveryIsGivenBackForSecondsRoundedUp(t *testing.T) {
	t.Parallel()
	d, asked := held(t, 0)
	if err := d.Return(t.Context(), 1001*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := asked(); len(got) != 1 || got[0] != 2 {
		t.Errorf("asked for %v s, want 2", got)
	}
}

func TestADeliveryIsGivenBackWithinTwelveHoursOfItsReceipt(t *testing.T) {
	t.Parallel()
	d, asked := held(t, 11*time.Hour)
	if err := d.Return(t.Context(), 10*time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := asked(); len(got) != 1 || got[0] > 3600 || got[0] < 3500 {
		t.Errorf("asked for %v s, want the hour that is left", got)
	}
}

func TestADeliveryThatIsHeldTooLongIsNotExtended(t *testing.T) {
	t.Parallel()
	d, asked := held(t, 12*time.Hour-time.Minute)
	if err := d.Extend(t.Context()); err == nil {
		t.Error("extending says nothing")
	}
	if got := asked(); len(got) != 0 {
		t.Errorf("asked for %v s, want nothing", got)
	}
	if err := d.Return(t.Context(), time.Hour); err != nil {
		t.Error(err)
	}
}

func TestNothingHasAnEffectOnceADeliveryIsSettled(t *testing.T) {
	t.Parallel()
	d, asked := held(t, 0)
	if err := d.Extend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Return(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"extend": d.Extend(t.Context()), "return": d.Return(t.Context(), 0), "ack": d.Ack(t.Context()),
	} {
		if err != nil {
			t.Errorf("%s says %v", what, err)
		}
	}
	if got := asked(); len(got) != 2 || got[0] != 60 || got[1] != 3600 {
		t.Errorf("asked for %v s, want 60 and 3600", got)
	}
}
