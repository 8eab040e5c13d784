package awslambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/objects"
)

// arrived returns the n-th message of a batch of the queue with the name, from whoever may send there.
func arrived(n int, queue, body string) awsevents.SQSMessage {
	return awsevents.SQSMessage{
		MessageId: fmt.Sprintf("m-%d", n), ReceiptHandle: fmt.Sprintf("r-%d", n), Body: body,
		Attributes:  map[string]string{"ApproximateReceiveCount": "1"},
		EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:" + queue,
	}
}

// push hands messages to ingest, and returns the ids of those that it reports as failed.
func (r *rig) push(records ...awsevents.SQSMessage) ([]string, error) {
	r.t.Helper()
	handler, err := r.parts.handler()
	if err != nil {
		r.t.Fatal(err)
	}
	payload, err := json.Marshal(awsevents.SQSEvent{Records: records})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	out, err := handler.(gatewayHandler)(ctx, payload)
	if err != nil {
		return nil, err
	}
	var failed []string
	for _, f := range out.(awsevents.SQSEventResponse).BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed, nil
}

func queued(c *catalog.Catalog) { c.Tenants["t"].Intake.SQS = true }

func TestATenantsOwnQueueIsADoor(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, queued)
	binary := arrived(2, "baton-in-t", `{"model_id":"m","prompt":"p"}`)
	binary.MessageAttributes = map[string]awsevents.SQSMessageAttribute{}
	for name, value := range map[string]string{
		"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": string(events.Requested), "ce-priority": "high",
	} {
		binary.MessageAttributes[name] = awsevents.SQSMessageAttribute{DataType: "String", StringValue: aws.String(value)}
	}
	binary.MessageAttributes["picture"] = awsevents.SQSMessageAttribute{DataType: "Binary", BinaryValue: []byte{1}}
	failed, err := r.push(arrived(1, "baton-in-t", request), binary, arrived(3, "baton-in-t", "no request"))
	if err != nil || len(failed) != 0 {
		t.Errorf("reported %v, %v", failed, err)
	}
	stored := r.sent()
	if got := stored["baton-schedule-normal"]; len(got) != 1 || string(got[0].Data) != request || got[0].Tenant != "t" {
		t.Errorf("stored %+v", stored)
	}
	if len(stored["baton-schedule-high"]) != 1 || len(stored["baton-dead"]) != 1 {
		t.Errorf("stored %+v, want the event, and a letter for what is no request", stored)
	}
}

func TestAMessageThatMustWaitStaysInItsQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, queued)
	r.queues.Refuse(func(body string) bool { return strings.Contains(body, "later") })
	failed, err := r.push(arrived(1, "baton-in-t", request), arrived(2, "baton-in-t", `{"model_id":"m","prompt":"later"}`))
	if err != nil || !slices.Equal(failed, []string{"m-2"}) {
		t.Errorf("reported %v, %v", failed, err)
	}
	changes := r.queues.Changes()
	if len(changes) != 1 || !strings.HasSuffix(changes[0].Queue, "/baton-in-t") || changes[0].Receipt != "r-2" || changes[0].Seconds < 1 {
		t.Errorf("changed %+v", changes)
	}
}

func TestWhatNobodyTakesAnyMoreStaysInItsQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, nil)
	failed, err := r.push(arrived(1, "baton-in-t", request), arrived(2, "baton-in-t", request))
	if err != nil || !slices.Equal(failed, []string{"m-1", "m-2"}) || len(r.sent()) != 0 {
		t.Errorf("reported %v, %v, stored %v", failed, err, r.sent())
	}
}

func TestAQueueThatIsNoneOfIngestsIsAnError(t *testing.T) {
	t.Parallel()
	other := arrived(1, "baton-in-t", request)
	other.EventSource = "aws:kinesis"
	for name, records := range map[string][]awsevents.SQSMessage{
		"another's":                {arrived(1, "baton-schedule-normal", request)},
		"batches without a store":  {arrived(1, "baton-batch-low", "{}")},
		"of no queue":              {other},
		"of a tenant with no name": {arrived(1, "baton-in-", request)},
		"no messages":              {},
	} {
		r := newRig(t, events.Ingest, nil, queued)
		if failed, err := r.push(records...); err == nil {
			t.Errorf("%s: reported %v", name, failed)
		}
		if len(r.sent()) != 0 || !strings.Contains(r.log.String(), "invocation failed") {
			t.Errorf("%s: stored %v, and logged %s", name, r.sent(), r.log)
		}
	}
}

func TestTheStepsOfABatchAreTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, nil)
	r.parts.objects = objects.NewMemory(nil)
	handler, err := r.parts.handler()
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, contentType, body string) map[string]any {
		t.Helper()
		out, err := handler.(gatewayHandler)(t.Context(), lambdatest.HTTPEvent(t, "POST", path, withKey("content-type", contentType), body))
		if err != nil {
			t.Fatal(err)
		}
		answer := out.(awsevents.APIGatewayV2HTTPResponse)
		var said map[string]any
		if err := json.Unmarshal([]byte(answer.Body), &said); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("answered %+v", answer)
		}
		return said
	}
	line := `{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"p"}]}}`
	file := post("/v1/files", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"+
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n"+line+"\n\r\n--x--\r\n")
	post("/v1/batches", "application/json", fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, file["id"]))
	for step := range 2 { // it is split, and then handed in
		sent := r.sent()["baton-batch-low"]
		if len(sent) != step+1 {
			t.Fatalf("%d steps are stored before step %d", len(sent), step)
		}
		if failed, err := r.push(stepOf(t, sent[step])); err != nil || len(failed) != 0 {
			t.Fatalf("step %d: reported %v, %v", step, failed, err)
		}
	}
	if got := r.sent()["baton-schedule-low"]; len(got) != 1 {
		t.Errorf("stored %+v, want the request of the one line", r.sent())
	}
}

// stepOf returns a message of the queue of steps.
func stepOf(t *testing.T, e events.Event) awsevents.SQSMessage {
	m := record(t, 1, e)
	m.EventSourceARN = "arn:aws:sqs:us-east-1:000000000000:baton-batch-low"
	return m
}

func TestAnAnswerIsOneThatLambdaTakes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
	}{
		"small":              {"<é>", 200},
		"all escapes":        {strings.Repeat("<", maxBody), 200},
		"bytes":              {strings.Repeat("\xff", maxBody), 200},
		"too large":          {strings.Repeat("x", maxBody+16), 500},
		"too large in bytes": {strings.Repeat("\xff", maxBody+16), 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &gateway{log: slog.New(slog.DiscardHandler), now: time.Now, handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, tc.body)
			})}
			out, err := g.handle(t.Context(), awsevents.APIGatewayV2HTTPRequest{RawPath: "/"})
			if err != nil || out.StatusCode != tc.status {
				t.Fatalf("answered %d, %v", out.StatusCode, err)
			}
			b, err := json.Marshal(out)
			if err != nil || len(b) > 6291556 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if body := decoded(t, out); tc.status == http.StatusOK && body != tc.body {
				t.Errorf("the body of %d bytes is another", len(body))
			}
		})
	}
}
