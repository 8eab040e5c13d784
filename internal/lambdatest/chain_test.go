package lambdatest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/sqstest"
)

const (
	functionTimeout = 3 * time.Second
	// visibility is what AWS asks for: six times the timeout. It is how long the test waits for what a crash left.
	visibility = 6 * functionTimeout
	requests   = 300
	marks      = 10
	slows      = 3
	clients    = 8
	patience   = 4 * time.Minute
)

// stack is the chain as it is deployed: four functions from their packages, a queue for each lane, and a mapping for each
// queue.
type stack struct {
	t         *testing.T
	functions map[events.Hop]*lambdatest.Function
	mappings  map[events.Hop][]*lambdatest.Mapping
	refusing  *refusing // before the queues of schedule
	client    *sqs.Client
	models    *models
	ledger    *ledger
}

func deploy(t *testing.T) *stack {
	t.Helper()
	server := sqstest.Start(t, os.Getenv)
	if server.Real {
		t.Skip("the functions run with the credentials of a local server: not on a real account")
	}
	s := &stack{
		t: t, mappings: map[events.Hop][]*lambdatest.Mapping{}, models: newModels(t),
	}
	c := configure(t, fmt.Sprintf(`
  m: {attempts: 20, targets: [{name: sim, api: openai, url: %[1]s/sim/v1, timeout: 1s}]}
  slow: {attempts: 4, targets: [{name: slow, api: openai, url: %[1]s/slow/v1, timeout: 60s}]}`, s.models.url))
	s.ledger = newLedger(t, c)
	base := server.Base()
	root, _, ok := strings.Cut(base, "/000000000000/")
	if !ok {
		t.Fatalf("the queues are at %s", base)
	}
	s.refusing = newRefusing(t, root)
	env := []string{
		"BATON_CONFIG=" + c.path, "BATON_SQS_URL=" + base, "BATON_REDIS_URL=redis://" + miniredis.RunT(t).Addr(),
		"WHSEC=" + c.secret, "BATON_LOG=info",
	}
	s.functions = functions(t, functionTimeout, env, func(f events.Hop) string {
		if f == events.Schedule {
			return s.refusing.url
		}
		return root
	})
	s.ledger.ingest = s.functions[events.Ingest]
	s.queue(server, base,
		events.Lane{Hop: events.Schedule, Priority: events.Normal},
		events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "sim"},
		events.Lane{Hop: events.Infer, Priority: events.Normal, Target: "slow"},
		events.Lane{Hop: events.Callback, Priority: events.Normal},
	)
	return s
}

// functions deploys the four functions, each with its endpoint of SQS.
func functions(
	t *testing.T, timeout time.Duration, env []string, endpoint func(events.Hop) string,
) map[events.Hop]*lambdatest.Function {
	t.Helper()
	all := map[events.Hop]*lambdatest.Function{}
	for _, f := range []events.Hop{events.Ingest, events.Schedule, events.Infer, events.Callback} {
		program, _ := bootstrap(t, string(f))
		all[f] = lambdatest.Deploy(t, lambdatest.Options{
			Name: string(f), Bootstrap: program, Env: append(slices.Clone(env), "AWS_ENDPOINT_URL_SQS="+endpoint(f)), Timeout: timeout,
		})
	}
	return all
}

// queue makes the queues of the lanes, and a mapping from each to its function.
func (s *stack) queue(server *sqstest.Server, base string, lanes ...events.Lane) {
	s.t.Helper()
	s.client = server.Client(s.t, func(o *sqs.Options) { o.RetryMaxAttempts = 5 })
	dead := sqsbus.QueueURL(base, events.Lane{Hop: events.Dead})
	server.Create(s.t, dead, nil)
	attributes := map[string]string{
		"VisibilityTimeout": strconv.Itoa(int(visibility.Seconds())),
		"RedrivePolicy":     fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":100}`, server.ARN(s.t, dead)),
	}
	for _, lane := range lanes {
		queue := sqsbus.QueueURL(base, lane)
		server.Create(s.t, queue, attributes)
		s.mapTo(lane.Hop, queue)
	}
}

// mapTo adds a mapping from the queue to the function of the hop. Ingest works batches off.
func (s *stack) mapTo(h events.Hop, queue string) {
	f := s.functions[h]
	if h == events.Batch {
		f = s.functions[events.Ingest]
	}
	s.mappings[h] = append(s.mappings[h], &lambdatest.Mapping{Client: s.client, Queue: queue, Function: f})
}

// enable runs the mappings until the test ends.
func (s *stack) enable() {
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, ms := range s.mappings {
		for _, m := range ms {
			running.Go(func() { m.Run(ctx) })
		}
	}
}

// TestTheChainOnLambdaLosesNothing runs the whole chain on the real programs, and has happen to it what happens on Lambda: a
// process dies in the middle of a batch, another hangs until the invocation times out, batches fail in part, and a model
// takes longer than a function may.
func TestTheChainOnLambdaLosesNothing(t *testing.T) {
	s := deploy(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// The first batches of schedule have events in them that the queues refuse for a while, and others.
	s.ledger.load(ctx, "m", 2*marks, 1)
	for id := range s.ledger.accounts() {
		s.refusing.mark(id)
		if len(s.refusing.marked) == marks {
			break
		}
	}
	s.enable()

	var load sync.WaitGroup
	load.Go(func() { s.ledger.load(ctx, "m", requests, clients) })
	load.Go(func() { s.ledger.load(ctx, "slow", slows, slows) })

	// A batch of infer is in the middle of its calls when its process dies.
	calls := s.models.sim.hold()
	s.await(ctx, "call of the model", calls.arrived)
	t.Logf("killed %d infer", s.functions[events.Infer].KillBusy())
	calls.release()

	// Callback hangs in the middle of its deliveries, before it hears of what it has delivered, until Lambda's timeout.
	deliveries := s.ledger.door.hold()
	s.await(ctx, "delivery", deliveries.arrived)
	t.Logf("stopped %d callback", s.functions[events.Callback].StopBusy())
	for s.mappings[events.Callback][0].Failed.Load() == 0 {
		s.pause(ctx, "timeout")
	}
	deliveries.release()

	load.Wait()
	if n := s.ledger.accepted.Load(); n != requests+slows+2*marks {
		t.Errorf("%d requests were accepted", n)
	}
	s.drain(ctx)
	s.ledger.settle(ctx)
	s.report()
}

func (s *stack) await(ctx context.Context, what string, happens <-chan struct{}) {
	s.t.Helper()
	select {
	case <-happens:
	case <-ctx.Done():
		s.t.Fatalf("no %s in time", what)
	}
}

// pause waits a little before the test looks again.
func (s *stack) pause(ctx context.Context, what string) {
	s.t.Helper()
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
		s.t.Fatalf("no %s in time", what)
	}
}

// drain waits until the queues are empty: nothing is left to deliver, the second time either.
func (s *stack) drain(ctx context.Context) {
	s.t.Helper()
	counts := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	for _, hop := range []events.Hop{events.Schedule, events.Infer, events.Callback, events.Schedule, events.Infer, events.Callback} {
		for _, m := range s.mappings[hop] {
			for left := -1; left != 0; {
				out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: aws.String(m.Queue), AttributeNames: counts})
				if err != nil {
					s.t.Fatalf("%s is not empty in time: %v", m.Queue, err)
				}
				left = 0
				for _, n := range out.Attributes {
					count, err := strconv.Atoi(n)
					if err != nil {
						s.t.Fatal(err)
					}
					left += count
				}
				s.pause(ctx, "end of the queues")
			}
		}
	}
}

// report checks that the faults have happened, and prints what they came to.
func (s *stack) report() {
	s.t.Helper()
	partial := int64(0)
	for _, hop := range []events.Hop{events.Schedule, events.Infer, events.Callback} {
		var invocations, failed int64
		for _, m := range s.mappings[hop] {
			invocations += m.Invocations.Load()
			failed += m.Failed.Load()
			partial += m.Partial.Load()
		}
		s.t.Logf("%-8s  %4d invocations of %d processes, %d failed", hop, invocations, s.functions[hop].Processes(), failed)
		if failed == 0 && hop != events.Schedule {
			s.t.Errorf("no invocation of %s failed", hop)
		}
	}
	s.t.Logf("%d batches failed in part", partial)
	if partial == 0 {
		s.t.Error("no batch failed in part")
	}
	if n := s.ledger.duplicates; n == 0 {
		s.t.Error("what hung had delivered, and nothing was delivered twice")
	}
	for id, r := range s.ledger.results {
		if r.Target == "slow" && r.Attempts < 2 {
			s.t.Errorf("%s: a call that outlived the invocation was no attempt: %+v", id, r)
		}
	}
	if log := s.functions[events.Infer].Output(); !strings.Contains(log, "timeout does not fit") {
		s.t.Error("the log does not say that the timeout of the slow target does not fit")
	}
}

// models serves the targets: sim, which can be held up, and slow, whose first attempt at a request never ends.
type models struct {
	url string
	sim gate
}

func newModels(t *testing.T) *models {
	m := &models{}
	simulate := simulated.New(catalog.Simulate{P50: 10 * time.Millisecond, P99: 60 * time.Millisecond, ErrorRate: 0.05, Seed: 7})
	mux := http.NewServeMux()
	mux.Handle("/sim/", http.StripPrefix("/sim", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.sim.pass(r.Context()) {
			simulate.ServeHTTP(w, r)
		}
	})))
	mux.HandleFunc("/slow/", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if err != nil || strings.HasSuffix(r.Header.Get("Idempotency-Key"), "-1") { // an event's id ends with its attempt
			<-r.Context().Done()
			return
		}
		answerAtOnce(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}
