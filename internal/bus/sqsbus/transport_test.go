package sqsbus_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/sqstest"
)

var normalLane = events.Lane{Hop: events.Schedule, Priority: events.Normal}

// requested returns the n-th request event of the tests.
func requested(n int) events.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := events.Request{RequestID: strconv.Itoa(n), ModelID: "m"}
	return events.New("tenant-a", r, events.Normal, []byte(`{"prompt":"é"}`), at, at.Add(time.Hour))
}

func requests(n int) []events.Event {
	all := make([]events.Event, n)
	for i := range all {
		all[i] = requested(i)
	}
	return all
}

// setup returns a transport over new queues, with the client's options, and what the URLs of the queues begin with.
func setup(t *testing.T, change func(*sqsbus.Options), options ...func(*sqs.Options)) (*sqsbus.Bus, string, *sqstest.Server) {
	t.Helper()
	s := sqstest.Start(t, os.Getenv)
	o := sqsbus.Options{URL: queues(t, s), Lease: time.Minute}
	if change != nil {
		change(&o)
	}
	return sqsbus.New(s.Client(t, options...), o), o.URL, s
}

// receive returns the next n deliveries of the lane.
func receive(t *testing.T, b hop.Source, lane events.Lane, n int) []hop.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []hop.Delivery
	for len(got) < n {
		if err := b.Receive(ctx, lane, n-len(got), func(d hop.Delivery) { got = append(got, d) }); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatalf("received %d of %d", len(got), n)
		}
	}
	return got
}

func TestQueueURL(t *testing.T) {
	t.Parallel()
	for lane, want := range map[events.Lane]string{
		normalLane: "https://sqs/1/baton-schedule-normal",
		{Hop: events.Infer, Priority: events.High, Target: "a-b_c"}: "https://sqs/1/baton-infer-high-a-b_c",
		{Hop: events.Dead}: "https://sqs/1/baton-dead",
	} {
		if got := sqsbus.QueueURL("https://sqs/1/baton", lane); got != want {
			t.Errorf("the queue of %s is %s, want %s", lane, got, want)
		}
	}
}

func TestAMessageIsWhatTheContractSays(t *testing.T) {
	t.Parallel()
	var sent recorder[sqs.SendMessageBatchInput]
	b, base, _ := setup(t, nil, sent.option())
	soon, later, foreign := requested(1), requested(2), requested(3)
	soon.NotBefore = time.Now().Add(89500 * time.Millisecond)
	later.NotBefore = time.Now().Add(10 * time.Hour)
	foreign.Tenant = "é"
	if err := b.Publish(t.Context(), requested(0), soon, later, foreign); err != nil {
		t.Fatal(err)
	}
	calls := sent.calls()
	if len(calls) != 1 || len(calls[0].Entries) != 4 || aws.ToString(calls[0].QueueUrl) != base+"-schedule-normal" {
		t.Fatalf("the calls are %v, want one of four entries", calls)
	}
	for i, want := range []struct {
		group string
		delay int32
	}{{"tenant-a", 0}, {"tenant-a", 90}, {"tenant-a", 900}, {"", 0}} {
		e := calls[0].Entries[i]
		attribute, ok := e.MessageAttributes["content-type"]
		if !ok || len(e.MessageAttributes) != 1 || aws.ToString(attribute.DataType) != "String" ||
			aws.ToString(attribute.StringValue) != "application/cloudevents+json" {
			t.Errorf("entry %d has the attributes %v", i, e.MessageAttributes)
		}
		if group := aws.ToString(e.MessageGroupId); group != want.group || e.DelaySeconds != want.delay {
			t.Errorf("entry %d is of group %q and delayed by %d s, want %q and %d s", i, group, e.DelaySeconds, want.group, want.delay)
		}
	}
}

func TestEventsThatArePublishedTogetherAreSentInFullBatches(t *testing.T) {
	t.Parallel()
	var sent recorder[sqs.SendMessageBatchInput]
	b, _, _ := setup(t, nil, sent.option())
	if err := b.Publish(t.Context(), requests(25)...); err != nil {
		t.Fatal(err)
	}
	if got := len(sent.calls()); got != 3 {
		t.Errorf("25 events took %d requests, want 3", got)
	}
	if got := len(receive(t, b, normalLane, 25)); got != 25 {
		t.Errorf("received %d", got)
	}
}

func TestAnEventOverItsLimitIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	var sent recorder[sqs.SendMessageBatchInput]
	b, _, _ := setup(t, func(o *sqsbus.Options) { o.MaxBytes = 256 << 10 }, sent.option())
	fits, over := requested(1), requested(2)
	fits.Data = []byte(`"` + strings.Repeat("x", 240<<10) + `"`)
	over.Data = []byte(`"` + strings.Repeat("x", 250<<10) + `"`)
	if err := b.Publish(t.Context(), fits, over); !errors.Is(err, hop.ErrTooLarge) {
		t.Errorf("publishing says %v", err)
	}
	if got := len(sent.calls()); got != 0 {
		t.Errorf("%d requests were made, want none", got)
	}
	// What an event may not have, its dead letter may.
	dead := over.AsDead(events.DeadLetter{Reason: events.ReasonRefused, Detail: strings.Repeat("\x00", 1<<10)})
	dead.Data = []byte(`"` + strings.Repeat("x", 247<<10) + `"`)
	if err := b.Publish(t.Context(), fits, dead); err != nil {
		t.Error(err)
	}
}

func TestAnEntryThatFailsInABatchDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	faults := map[string]int{} // how often an entry was failed, by its body
	b, _, _ := setup(t, nil, tap(func(c call) (any, error) {
		in, ok := c.in.(*sqs.SendMessageBatchInput)
		if !ok {
			return c.next(c.in)
		}
		pass := *in
		pass.Entries = nil
		var failed []types.BatchResultErrorEntry
		for _, e := range in.Entries {
			body := aws.ToString(e.MessageBody)
			switch {
			case strings.Contains(body, requested(1).ID) && faults[body] < 2:
				faults[body]++
				failed = append(failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("InternalError")})
			case strings.Contains(body, requested(2).ID):
				failed = append(failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("Refused"), SenderFault: true})
			default:
				pass.Entries = append(pass.Entries, e)
			}
		}
		if len(pass.Entries) == 0 {
			return &sqs.SendMessageBatchOutput{Failed: failed}, nil
		}
		out, err := c.next(&pass)
		if err == nil {
			sent := out.(*sqs.SendMessageBatchOutput)
			sent.Failed = append(sent.Failed, failed...)
		}
		return out, err
	}))
	err := b.Publish(t.Context(), requests(4)...)
	if err == nil || !strings.Contains(err.Error(), requested(2).ID) || strings.Count(err.Error(), "sqsbus: publish") != 1 {
		t.Errorf("publishing says %v, want it of the refused event alone", err)
	}
	got := map[string]bool{}
	for _, d := range receive(t, b, normalLane, 3) {
		got[d.Event.ID] = true
	}
	for _, n := range []int{0, 1, 3} {
		if !got[requested(n).ID] {
			t.Errorf("event %d was not stored: %v", n, got)
		}
	}
}

func TestABatchThatTheServerFindsTooLongIsSentEachAlone(t *testing.T) {
	t.Parallel()
	var sent recorder[sqs.SendMessageBatchInput]
	b, _, _ := setup(t, func(o *sqsbus.Options) { o.MaxBytes = 4 << 20 }, sent.option())
	two := requests(2)
	for i := range two {
		two[i].Data = []byte(`"` + strings.Repeat("x", 700<<10) + `"`)
	}
	if err := b.Publish(t.Context(), two...); err != nil {
		t.Fatal(err)
	}
	if got := len(sent.calls()); got != 3 {
		t.Errorf("%d requests, want one refused and two alone", got)
	}
	receive(t, b, normalLane, 2)
}

func TestAcknowledgementsGoTogether(t *testing.T) {
	t.Parallel()
	var removed recorder[sqs.DeleteMessageBatchInput]
	release := make(chan struct{}) // closed when all have begun to acknowledge
	b, _, _ := setup(t, nil, removed.option(), tap(func(c call) (any, error) {
		if _, ok := c.in.(*sqs.DeleteMessageBatchInput); ok {
			<-release
		}
		return c.next(c.in)
	}))
	const n = 50
	if err := b.Publish(t.Context(), requests(n)...); err != nil {
		t.Fatal(err)
	}
	begun, answers := make(chan struct{}), make(chan error)
	for _, d := range receive(t, b, normalLane, n) {
		go func() {
			begun <- struct{}{}
			answers <- d.Ack(t.Context())
		}()
	}
	for range n {
		<-begun
	}
	close(release)
	for range n {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	entries := 0
	for _, in := range removed.calls() {
		entries += len(in.Entries)
	}
	if got := len(removed.calls()); entries != n || got == n {
		t.Errorf("%d acknowledgements took %d requests with %d entries", n, got, entries)
	}
}

func TestAQueueThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	b, _, _ := setup(t, nil)
	lane := events.Lane{Hop: events.Infer, Priority: events.Low, Target: "nowhere"}
	err := b.Receive(t.Context(), lane, 1, func(hop.Delivery) { t.Error("received something") })
	if err == nil || !strings.Contains(err.Error(), "infer/low/nowhere") {
		t.Errorf("receiving says %v", err)
	}
	e := requested(1).Next(events.Schedule, events.Scheduled, 1, time.Now())
	e.Target = "nowhere"
	if err := b.Publish(t.Context(), e); err == nil || !strings.Contains(err.Error(), e.ID) {
		t.Errorf("publishing says %v", err)
	}
}

func TestAMessageThatIsNoEventArrivesWithItsFault(t *testing.T) {
	t.Parallel()
	b, base, s := setup(t, nil)
	out, err := s.Client(t).SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: aws.String(sqsbus.QueueURL(base, normalLane)), MessageBody: aws.String("hello"),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := receive(t, b, normalLane, 1)[0]
	if d.Err == nil || string(d.Event.Data) != "hello" || d.Event.ID != aws.ToString(out.MessageId) {
		t.Errorf("received %+v with the fault %v", d.Event, d.Err)
	}
}

func TestDeliveriesAreCounted(t *testing.T) {
	t.Parallel()
	b, _, _ := setup(t, nil)
	if err := b.Publish(t.Context(), requested(1)); err != nil {
		t.Fatal(err)
	}
	for want := 1; want <= 3; want++ {
		d := receive(t, b, normalLane, 1)[0]
		if d.Number != want {
			t.Errorf("delivery %d says it is number %d", want, d.Number)
		}
		if err := d.Return(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReceivingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b, _, _ := setup(t, nil, tap(func(c call) (any, error) {
		if _, ok := c.in.(*sqs.ReceiveMessageInput); ok {
			go cancel()
		}
		return c.next(c.in)
	}))
	if err := b.Receive(ctx, normalLane, 1, func(hop.Delivery) {}); err != nil {
		t.Errorf("receiving says %v, want nothing", err)
	}
}

func TestReceivingEndsAfterItsWait(t *testing.T) {
	t.Parallel()
	var polls recorder[sqs.ReceiveMessageInput]
	b, _, _ := setup(t, func(o *sqsbus.Options) { o.Wait = 1500 * time.Millisecond }, polls.option())
	if err := b.Receive(t.Context(), normalLane, 17, func(hop.Delivery) {}); err != nil {
		t.Error(err)
	}
	first := polls.calls()[0]
	if first.WaitTimeSeconds != 2 || first.MaxNumberOfMessages != 10 || first.VisibilityTimeout != 60 {
		t.Errorf("asked for %d messages within %d s, hidden for %d s", first.MaxNumberOfMessages, first.WaitTimeSeconds, first.VisibilityTimeout)
	}
}
