package awslambda

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/lambdatest"
)

// unhurried is more time than any invocation needs here.
const unhurried = time.Minute

// brief is little enough time to wait for its end, and leaves half a second to store what the end makes: a slow machine's time.
const brief = 6 * time.Second

func TestABatchIsDoneWhenItsOutputIsStored(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Schedule, nil, nil)
	if failed := r.invoke(unhurried, record(t, 1, requested(1)), record(t, 2, requested(2))); len(failed) != 0 {
		t.Errorf("reported %v", failed)
	}
	if out := r.sent()["baton-infer-normal-sim"]; len(out) != 2 || out[0].Type != events.Scheduled {
		t.Errorf("stored %+v", r.sent())
	}
	if changes := r.queues.Changes(); len(changes) != 0 {
		t.Errorf("changed %+v", changes)
	}
}

func TestAnItemWhoseOutputCannotBeStoredIsGivenBackAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Schedule, nil, nil)
	r.queues.Refuse(func(body string) bool { return strings.Contains(body, requested(2).Subject) })
	second := record(t, 2, requested(2))
	second.Attributes["ApproximateReceiveCount"] = "7" // throttled six times: none of that is a try
	// It is tried again until the invocation has no time left.
	if failed := r.invoke(3*time.Second, record(t, 1, requested(1)), second, record(t, 3, requested(3))); !slices.Equal(failed, []string{"m-2"}) {
		t.Errorf("reported %v", failed)
	}
	changes := r.queues.Changes()
	if len(changes) != 1 || changes[0].Receipt != "r-2" || changes[0].Queue != r.queues.URL+"/000000000000/baton-lane" {
		t.Fatalf("changed %+v", changes)
	}
	// The backoff of a seventh delivery: 32 s, of which the jitter takes half at most.
	if s := changes[0].Seconds; s < 16 || s > 32 {
		t.Errorf("hidden for %d s", s)
	}
	if all := r.sent(); len(all["baton-infer-normal-sim"]) != 2 || len(all) != 1 {
		t.Errorf("stored %+v", all)
	}
}

func TestAnEarlyItemIsHiddenForTheRest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		early    time.Duration
		from, to int
	}{
		"rounded up to seconds":       {90 * time.Second, 80, 90},
		"no longer than SQS hides it": {24 * time.Hour, 11*3600 + 1800, 11*3600 + 1800},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, events.Schedule, nil, nil)
			in := requested(1)
			in.NotBefore = time.Now().Add(tc.early)
			if failed := r.invoke(unhurried, record(t, 1, in)); !slices.Equal(failed, []string{"m-1"}) {
				t.Errorf("reported %v", failed)
			}
			if c := r.queues.Changes(); len(c) != 1 || c[0].Seconds < tc.from || c[0].Seconds > tc.to {
				t.Errorf("changed %+v, want %d to %d s", c, tc.from, tc.to)
			}
		})
	}
}

func TestADelayIsWholeSecondsAndNeverLess(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Schedule, nil, nil)
	m := &message{client: r.parts.queues, queue: r.queues.URL + "/q", receipt: "r"}
	for delay, want := range map[time.Duration]int{-time.Second: 0, 0: 0, 1: 1, time.Second: 1, 1001 * time.Millisecond: 2} {
		if err := m.Return(t.Context(), delay); err != nil {
			t.Fatal(err)
		}
		changes := r.queues.Changes()
		if got := changes[len(changes)-1].Seconds; got != want {
			t.Errorf("%v is %d s, want %d", delay, got, want)
		}
	}
	if m.done.Load() {
		t.Error("what is given back is done")
	}
}

func TestReceivesAreNotTries(t *testing.T) {
	t.Parallel()
	for count, reason := range map[string]events.Reason{"7": "", "50": "", "51": events.ReasonCrashLoop} {
		r := newRig(t, events.Schedule, nil, nil)
		in := record(t, 1, requested(1))
		in.Attributes["ApproximateReceiveCount"] = count
		if failed := r.invoke(unhurried, in); len(failed) != 0 {
			t.Errorf("received %s times: reported %v", count, failed)
		}
		if reason == "" {
			if out := r.sent()["baton-infer-normal-sim"]; len(out) != 1 || out[0].Tries != 0 {
				t.Errorf("received %s times: stored %+v", count, r.sent())
			}
		} else if dead := r.sent()["baton-dead"]; len(dead) != 1 || dead[0].Dead.Reason != reason {
			t.Errorf("received %s times: stored %+v", count, r.sent())
		}
	}
}

func TestAMessageThatIsNoEventIsADeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Schedule, nil, nil)
	bad := record(t, 1, requested(1))
	bad.Body = "no event"
	if failed := r.invoke(unhurried, bad, record(t, 2, requested(2))); len(failed) != 0 {
		t.Errorf("reported %v", failed)
	}
	dead := r.sent()["baton-dead"]
	if len(dead) != 1 || dead[0].Dead.Reason != events.ReasonUndecodable || dead[0].ID != "m-1" || string(dead[0].Data) != "no event" {
		t.Errorf("dead letters %+v", dead)
	}
}

func TestACallThatOutlivesTheInvocationIsAnAttemptThatFailed(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Infer, hang, nil)
	if failed := r.invoke(brief, record(t, 1, scheduled(1))); len(failed) != 0 {
		t.Errorf("reported %v", failed)
	}
	out := r.sent()["baton-schedule-normal"]
	if len(out) != 1 || out[0].Type != events.AttemptFailed || out[0].ErrorCode != events.CodeTimeout ||
		!slices.Equal(out[0].Tried, []string{"sim"}) || out[0].Tries != 0 {
		t.Errorf("stored %+v", r.sent())
	}
	if log := r.log.String(); !strings.Contains(log, "timeout does not fit") || !strings.Contains(log, `"target":"sim"`) {
		t.Errorf("the log does not say that the timeouts do not fit: %s", log)
	}
}

func TestATimeoutThatFitsIsNothingToWarnOf(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Infer, nil, nil)
	r.invoke(90*time.Second, record(t, 1, scheduled(1)))
	if log := r.log.String(); strings.Contains(log, "does not fit") {
		t.Errorf("a timeout of 60 s in a function of 90 s: %s", log)
	}
}

func TestWhatIsNotBegunIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	r := newRig(t, events.Infer, func(w http.ResponseWriter, req *http.Request) {
		calls.Add(1)
		hang(w, req)
	}, nil) // two at once
	failed := r.invoke(brief, record(t, 1, scheduled(1)), record(t, 2, scheduled(2)), record(t, 3, scheduled(3)))
	if !slices.Equal(failed, []string{"m-3"}) || calls.Load() != 2 {
		t.Errorf("reported %v after %d calls", failed, calls.Load())
	}
	if c := r.queues.Changes(); len(c) != 1 || c[0] != (lambdatest.Change{Queue: r.queues.URL + "/000000000000/baton-lane", Receipt: "r-3"}) {
		t.Errorf("changed %+v", c)
	}
	if out := r.sent()["baton-schedule-normal"]; len(out) != 2 {
		t.Errorf("stored %+v", r.sent())
	}
}

func TestADeliveryThatOutlivesTheInvocationIsATry(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(hang))
	t.Cleanup(receiver.Close)
	r := newRig(t, events.Callback, nil, func(c *catalog.Catalog) { c.Callbacks.Timeout = time.Hour })
	if failed := r.invoke(brief, record(t, 1, completed(1, receiver.URL))); len(failed) != 0 {
		t.Errorf("reported %v", failed)
	}
	if out := r.sent()["baton-callback-normal"]; len(out) != 1 || out[0].Tries != 1 || out[0].NotBefore.IsZero() {
		t.Errorf("stored %+v", r.sent())
	}
}

func TestAResultGoesToAQueueOfTheCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Callback, nil, func(c *catalog.Catalog) { c.Tenants["t"].CallbackQueues = []string{"sqs://results"} })
	failed := r.invoke(time.Minute, record(t, 1, completed(1, "sqs://results")), record(t, 2, completed(2, "sqs://others")))
	if len(failed) != 0 {
		t.Errorf("reported %v", failed)
	}
	var queues []string
	for _, s := range r.queues.Sent() {
		queues = append(queues, s.Queue[len(r.queues.URL+"/000000000000/"):])
	}
	slices.Sort(queues)
	if !slices.Equal(queues, []string{"baton-dead", "results"}) {
		t.Errorf("sent to %v, want the result to its queue, and a letter for the one that is not allowed", queues)
	}
}

func TestAnEventThatIsOfNoQueueIsAnError(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{`{}`, `{"Records":[]}`, `[]`, `"x"`, `{"Records":1}`} {
		r := newRig(t, events.Schedule, nil, nil)
		handler, err := r.parts.handler()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := handler.(batchHandler)(t.Context(), json.RawMessage(payload)); err == nil {
			t.Errorf("%s is handled", payload)
		}
		if !strings.Contains(r.log.String(), "invocation failed") {
			t.Errorf("%s: the log says nothing", payload)
		}
	}
}

// hang answers nothing until the caller gives up.
func hang(_ http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 1<<20)
	for { // a server notices that its client is gone once the body is read
		if _, err := r.Body.Read(buf); err != nil {
			break
		}
	}
	<-r.Context().Done()
}

func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"Records":[{"messageId":"m","receiptHandle":"r","body":"{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"/s\",\"type\":\"t\"}",` +
			`"attributes":{"ApproximateReceiveCount":"1"},"eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:baton-lane"}]}`,
		`{"Records":[{}]}`, `{"Records":[{"messageId":"m","body":"","attributes":{"ApproximateReceiveCount":"-1"},"eventSourceARN":":"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var in awsevents.SQSEvent
		if json.Unmarshal(payload, &in) != nil {
			return
		}
		for _, r := range in.Records {
			m := &message{queue: queueURL("http://127.0.0.1/0/baton", r.EventSourceARN), receipt: r.ReceiptHandle}
			if d := delivery(r, m); d.Err != nil && string(d.Event.Data) != r.Body {
				t.Errorf("of a message that is no event, %q is left of %q", d.Event.Data, r.Body)
			}
			if !strings.HasPrefix(m.queue, "http://127.0.0.1/0/") {
				t.Errorf("the queue is %q", m.queue)
			}
			if err := m.Ack(context.Background()); err != nil || !m.done.Load() {
				t.Error("not acknowledged")
			}
		}
	})
}
