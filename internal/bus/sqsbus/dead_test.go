package sqsbus_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/hop"
)

// bury stores n dead letters and returns them by their ids.
func bury(t *testing.T, b hop.Publisher, n int) map[string]events.Event {
	t.Helper()
	all := map[string]events.Event{}
	for _, e := range requests(n) {
		dead := e.AsDead(events.DeadLetter{Hop: events.Schedule, Reason: events.ReasonRefused, Detail: "no", Time: e.Time})
		if err := b.Publish(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		all[dead.ID] = dead
	}
	return all
}

// list returns the dead letters.
func list(t *testing.T, b hop.DeadLetters) []hop.DeadLetter {
	t.Helper()
	var all []hop.DeadLetter
	for l, err := range b.DeadLetters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestDeadLettersAreListedOnceAndAgainByTheNext(t *testing.T) {
	t.Parallel()
	b, _, _ := setup(t, nil)
	want := bury(t, b, 25)
	for range 2 {
		seen := map[string]bool{}
		for _, l := range list(t, b) {
			if seen[l.Event.ID] || want[l.Event.ID].Dead == nil || *l.Event.Dead != *want[l.Event.ID].Dead {
				t.Errorf("listed %+v", l.Event)
			}
			seen[l.Event.ID] = true
		}
		if len(seen) != len(want) {
			t.Errorf("listed %d dead letters, want %d", len(seen), len(want))
		}
	}
}

func TestAListingThatStopsEarlyHidesNothingFromTheNext(t *testing.T) {
	t.Parallel()
	b, _, _ := setup(t, nil)
	bury(t, b, 12)
	for range b.DeadLetters(t.Context()) {
		break
	}
	if got := len(list(t, b)); got != 12 {
		t.Errorf("listed %d dead letters, want 12", got)
	}
}

func TestADeadLetterIsRemovedWhileItIsListedAndAfter(t *testing.T) {
	t.Parallel()
	b, _, _ := setup(t, nil)
	bury(t, b, 15)
	n := 0
	for l, err := range b.DeadLetters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if n%3 != 0 {
			continue
		}
		if err := b.RemoveDeadLetter(t.Context(), l.Key); err != nil {
			t.Error(err)
		}
	}
	left := list(t, b)
	if len(left) != 10 {
		t.Fatalf("%d dead letters are left, want 10", len(left))
	}
	list(t, b) // others have listed since, so the receipts are old
	for _, l := range left[:9] {
		if err := b.RemoveDeadLetter(t.Context(), l.Key); err != nil {
			t.Error(err)
		}
	}
	if got := list(t, b); len(got) != 1 || got[0].Event.ID != left[9].Event.ID {
		t.Errorf("left are %v, want %s", got, left[9].Event.ID)
	}
	if err := b.RemoveDeadLetter(t.Context(), left[0].Key); err != nil {
		t.Errorf("removing it again says %v", err)
	}
	if err := b.RemoveDeadLetter(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("removing nonsense says %v", err)
	}
}

func TestWhatSQSItselfMovedIsADeadLetterWithThatReason(t *testing.T) {
	t.Parallel()
	b, base, s := setup(t, nil)
	const maxReceiveCount = 2
	lane := events.Lane{Hop: events.Callback, Priority: events.Low}
	s.Create(t, sqsbus.QueueURL(base, lane), map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":` + strconv.Quote(s.ARN(t, base+"-dead")) + `,"maxReceiveCount":` + strconv.Itoa(maxReceiveCount) + `}`,
	})
	e := requested(1).Next(events.Infer, events.Completed, 1, time.Now())
	e.Priority = events.Low
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for range maxReceiveCount {
		if err := receive(t, b, lane, 1)[0].Return(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	once := sqsbus.New(s.Client(t), sqsbus.Options{URL: base, Wait: time.Second})
	if err := once.Receive(t.Context(), lane, 1, func(d hop.Delivery) { t.Errorf("received %s for the %d. time", d.Event.ID, d.Number) }); err != nil {
		t.Fatal(err)
	}
	got := list(t, b)
	if len(got) != 1 {
		t.Fatalf("%d dead letters, want one", len(got))
	}
	if dead := got[0].Event.Dead; got[0].Event.ID != e.ID || dead.Reason != events.ReasonCrashLoop || dead.Hop != events.Callback || dead.Time.IsZero() {
		t.Errorf("the dead letter is %+v: %+v", got[0].Event, dead)
	}
}

func TestADeadLetterNeedBeNoEvent(t *testing.T) {
	t.Parallel()
	b, base, s := setup(t, nil)
	out, err := s.Client(t).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(base + "-dead"), MessageBody: aws.String("hello")})
	if err != nil {
		t.Fatal(err)
	}
	e := events.Event{ID: "written", Data: []byte("bytes")}
	if err := b.Publish(t.Context(), e.AsDead(events.DeadLetter{Hop: events.Infer, Reason: events.ReasonUndecodable, Detail: "why"})); err != nil {
		t.Fatal(err)
	}
	byID := map[string]events.Event{}
	for _, l := range list(t, b) {
		byID[l.Event.ID] = l.Event
	}
	raw, written := byID[aws.ToString(out.MessageId)], byID["written"]
	if raw.Dead == nil || raw.Dead.Reason != events.ReasonUndecodable || string(raw.Data) != "hello" {
		t.Errorf("what is no event was listed as %+v", raw)
	}
	if written.Dead == nil || written.Dead.Detail != "why" || string(written.Data) != "bytes" {
		t.Errorf("what the chain wrote of it was listed as %+v", written)
	}
}
