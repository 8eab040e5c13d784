package hop_test

import (
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

func TestACopyForOneReceiverIsAdmittedWhereItIsDelivered(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := events.New("t", events.Request{RequestID: "r", ModelID: "m"}, events.Normal, nil, now, now.Add(time.Hour)).
		Next(events.Infer, events.AttemptFailed, 1, now)
	for _, tc := range []struct {
		e    events.Event
		hop  events.Hop
		dead bool
	}{
		{e, events.Schedule, false},
		{e, events.Callback, true},
		{e.For(1, "https://a.example.com/"), events.Callback, false},
		{e.For(1, "https://a.example.com/"), events.Schedule, true},
	} {
		o := hop.Limits{}.Admit(tc.hop, hop.Delivery{Event: tc.e}, now)
		if (o != nil) != tc.dead || o != nil && o.Reason != events.ReasonUnroutable {
			t.Errorf("%s admits %s: %+v", tc.hop, tc.e.ID, o)
		}
	}
}
