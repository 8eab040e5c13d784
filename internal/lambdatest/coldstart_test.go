package lambdatest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/lambdatest"
)

// What a function may take. The time is measured always, and held to only on request, since a test must not depend on how
// busy a machine is: make lambda-check asks for it.
var coldStartLimit = flag.Duration("cold-start", 0, "the longest that the median cold start may take; 0: only measure")

const (
	packageLimit = 25e6 // bytes of the zip file
	memoryLimit  = 40e6 // bytes in memory of an idle process
	coldStarts   = 9    // that are measured; the median counts
)

func TestAColdStartIsQuickAndSmall(t *testing.T) {
	queues := lambdatest.Accept(t)
	redis := miniredis.RunT(t)
	model := httptest.NewServer(http.HandlerFunc(answerAtOnce))
	t.Cleanup(model.Close)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	c := configure(t, fmt.Sprintf("  m: {targets: [{name: sim, api: openai, url: %s/v1}]}", model.URL))
	env := []string{
		"BATON_CONFIG=" + c.path, "BATON_SQS_URL=" + queues.URL + "/000000000000/baton", "AWS_ENDPOINT_URL_SQS=" + queues.URL,
		"BATON_REDIS_URL=redis://" + redis.Addr(), "BATON_LOG=error", "WHSEC=" + c.secret,
		"BATON_OBJECTS=s3://objects", // what is small never goes there
	}
	// Each function is measured by a first event that takes it all the way: to the store, and to what it calls and emits.
	request := fmt.Sprintf(`{"model_id":"m","prompt":"p","callback_url":%q}`, receiver.URL)
	now := time.Now()
	requested := events.New("t", events.Request{RequestID: "r", ModelID: "m", CallbackURL: receiver.URL}, events.Normal, []byte(request), now, now.Add(time.Hour))
	scheduled := requested.Next(events.Schedule, events.Scheduled, 1, now)
	scheduled.Target = "sim"
	completed := scheduled.Next(events.Infer, events.Completed, 1, now)
	completed.Data = []byte(`{"message_id":"m"}`)
	post := lambdatest.HTTPEvent(t, "POST", "/v1/inferences", map[string]string{
		"authorization": "Bearer " + c.key, "content-type": "application/json",
	}, request)

	for _, f := range []struct {
		name  string
		event []byte
	}{
		{"ingest", post},
		{"schedule", sqsEvent(t, requested)},
		{"infer", sqsEvent(t, scheduled)},
		{"callback", sqsEvent(t, completed)},
	} {
		t.Run(f.name, func(t *testing.T) {
			program, size := bootstrap(t, f.name)
			var times []time.Duration
			var memory int64
			for range coldStarts {
				redis.FlushAll() // each time is the first
				fn := lambdatest.Deploy(t, lambdatest.Options{Name: f.name, Bootstrap: program, Env: env, Timeout: 30 * time.Second})
				answer, err := fn.Invoke(t.Context(), f.event)
				if err != nil || strings.Contains(string(answer), "itemIdentifier") || f.name == "ingest" && !strings.Contains(string(answer), `"statusCode":202`) {
					t.Fatalf("answered %s, %v", answer, err)
				}
				times = append(times, fn.ColdStarts()...)
				memory = max(memory, resident(t, fn.Pids()[0]))
			}
			slices.Sort(times)
			median := times[len(times)/2]
			t.Logf("%-8s  zip %4.1f MB  cold start %5.1f ms, slowest %5.1f ms  idle %4.1f MB", f.name, float64(size)/1e6,
				median.Seconds()*1e3, times[len(times)-1].Seconds()*1e3, float64(memory)/1e6)
			if size > packageLimit {
				t.Errorf("the package has %d bytes, over %.0f", size, packageLimit)
			}
			if memory > memoryLimit {
				t.Errorf("idle, the process has %d bytes in memory, over %.0f", memory, memoryLimit)
			}
			if *coldStartLimit > 0 && median > *coldStartLimit {
				t.Errorf("a cold start takes %v, over %v", median, *coldStartLimit)
			}
		})
	}
}

// answerAtOnce is a model server that has one answer.
func answerAtOnce(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop",` +
		`"message":{"role":"assistant","content":"done"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`))
}

// sqsEvent returns the event of a mapping with one message.
func sqsEvent(t *testing.T, e events.Event) []byte {
	t.Helper()
	body, err := sqsbus.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(awsevents.SQSEvent{Records: []awsevents.SQSMessage{{
		MessageId: "1", ReceiptHandle: "r", Body: body, Attributes: map[string]string{"ApproximateReceiveCount": "1"},
		EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:us-east-1:000000000000:baton-" + e.Type.Step(),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// resident returns how many bytes of the process are in memory, or 0 where the system does not say.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Logf("%s does not say how much memory a process has: not measured", runtime.GOOS)
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the process has no VmRSS")
	return 0
}
