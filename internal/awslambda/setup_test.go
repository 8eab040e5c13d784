package awslambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/results"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "baton_test-key"

// rig is one function as Lambda serves it, on an SQS endpoint that accepts everything and results in memory.
type rig struct {
	t       *testing.T
	queues  *lambdatest.Acceptor
	results *results.Store
	log     *lockedBuffer
	parts   parts
}

// newRig returns a rig of the function. Its one target calls the model, which may be nil if nothing does.
func newRig(t *testing.T, function events.Hop, model http.HandlerFunc, change func(*catalog.Catalog)) *rig {
	t.Helper()
	r := &rig{t: t, queues: lambdatest.Accept(t), results: results.New(results.NewMemory()), log: &lockedBuffer{}}
	if model == nil {
		model = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no model", http.StatusServiceUnavailable) }
	}
	server := httptest.NewServer(model)
	t.Cleanup(server.Close)
	text := fmt.Sprintf(`
models:
  m: {targets: [{name: sim, api: openai, url: %s/v1, concurrency: 2, timeout: 60s}]}
callbacks: {allow_networks: [127.0.0.0/8], allow_http: true}
tenants:
  t: {keys: [%q], models: ["*"], secrets: ["env:WHSEC"]}
`, server.URL, catalog.HashKey(key))
	cat, err := catalog.Parse("baton.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cat)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.parts = parts{
		function: function, env: environment{sqsURL: r.queues.URL + "/000000000000/baton"},
		log:     slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		catalog: func() *catalog.Catalog { return cat }, results: r.results,
		secrets: func(catalog.Secret) (string, error) { return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", nil },
		queues: sqs.New(sqs.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(r.queues.URL), HTTPClient: &http.Client{Transport: transport},
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), RetryMaxAttempts: 1,
		}),
		ready: func(context.Context) error { return nil },
	}
	return r
}

type batchHandler = func(context.Context, json.RawMessage) (awsevents.SQSEventResponse, error)

// invoke invokes a function that takes batches, and returns the ids of the messages that it reports as failed.
func (r *rig) invoke(within time.Duration, records ...awsevents.SQSMessage) []string {
	r.t.Helper()
	handler, err := r.parts.handler()
	if err != nil {
		r.t.Fatal(err)
	}
	handle, ok := handler.(batchHandler)
	if !ok {
		r.t.Fatalf("%s takes no batches", r.parts.function)
	}
	payload, err := json.Marshal(awsevents.SQSEvent{Records: records})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	defer cancel()
	report, err := handle(ctx, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	if ctx.Err() != nil {
		r.t.Errorf("the invocation took longer than the %v that Lambda lets it", within)
	}
	if report.BatchItemFailures == nil {
		r.t.Error("the report has no list")
	}
	failed := []string{}
	for _, f := range report.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

// record returns the n-th message of a batch: its id is m-n and its receipt r-n.
func record(t *testing.T, n int, e events.Event) awsevents.SQSMessage {
	t.Helper()
	body, err := sqsbus.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return awsevents.SQSMessage{
		MessageId: fmt.Sprintf("m-%d", n), ReceiptHandle: fmt.Sprintf("r-%d", n), Body: body,
		Attributes:  map[string]string{"ApproximateReceiveCount": "1"},
		EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:baton-lane",
	}
}

// requested returns the n-th request, and scheduled and completed what follows.
func requested(n int) events.Event {
	now := time.Now()
	r := events.Request{RequestID: fmt.Sprintf("r-%d", n), ModelID: "m"}
	body := fmt.Appendf(nil, `{"request_id":%q,"model_id":"m","prompt":"p"}`, r.RequestID)
	return events.New("t", r, events.Normal, body, now, now.Add(time.Hour))
}

func scheduled(n int) events.Event {
	out := requested(n).Next(events.Schedule, events.Scheduled, 1, time.Now())
	out.Target = "sim"
	return out
}

func completed(n int, receiver string) events.Event {
	out := scheduled(n).Next(events.Infer, events.Completed, 1, time.Now())
	out.Data, out.CallbackURL = []byte(`{"output":"o"}`), receiver
	return out
}

// sent returns the events that were stored, each behind the name of its queue.
func (r *rig) sent() map[string][]events.Event {
	r.t.Helper()
	all := map[string][]events.Event{}
	for _, s := range r.queues.Sent() {
		e, err := sqsbus.Decode(s.Body)
		if err != nil && e.Dead == nil {
			r.t.Fatal(err)
		}
		name := s.Queue[len(r.queues.URL+"/000000000000/"):]
		all[name] = append(all[name], e)
	}
	return all
}

// lockedBuffer is a buffer for many writers.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
