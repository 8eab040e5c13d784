package intake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a door that answers all with the problem.
type answering struct{ p *problem.Problem }

func (a answering) TakeEvent(context.Context, *catalog.Tenant, ingest.Arrival) (ingest.Receipt, *problem.Problem) {
	return ingest.Receipt{MessageID: "m"}, a.p
}

// settled notes how a message was settled.
type settled struct {
	mu    sync.Mutex
	acked int
	after []time.Duration
	fail  error
}

func (s *settled) Ack(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked++
	return s.fail
}

func (s *settled) Return(_ context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, d)
	return s.fail
}

const secret = "words-of-a-prompt-4e11"

func taker(t *testing.T, p *problem.Problem) (*intake.Taker, *membus.Bus, *bytes.Buffer) {
	t.Helper()
	bus, log := membus.New(membus.Options{}), &bytes.Buffer{}
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search", Intake: catalog.Intake{SQS: true}}}}
	t.Cleanup(func() {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds the message: %s", log)
		}
	})
	return intake.New(intake.Config{
		Door: answering{p}, Publisher: bus, Catalog: func() *catalog.Catalog { return cat },
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}), bus, log
}

func delivery(number int, s intake.Settler) intake.Delivery {
	return intake.Delivery{
		Arrival: ingest.Arrival{ID: "id", Data: []byte(secret), Attributes: map[string]string{"id": "seven\n", "source": strings.Repeat("s", 300)}},
		Where:   "queue", Number: number, Settler: s,
	}
}

func TestWhatBecomesOfAMessage(t *testing.T) {
	t.Parallel()
	later := func(word problem.Word, retryAfter string) *problem.Problem {
		return problem.New(word, "").With("Retry-After", retryAfter)
	}
	for _, tc := range []struct {
		name     string
		p        *problem.Problem
		number   int
		want     intake.Outcome
		at, most time.Duration // of the delay
	}{
		{"it is taken", nil, 1, intake.Accepted, 0, 0},
		{"the tenant is too fast", later(problem.RateLimited, "7"), 1, intake.Returned, 7 * time.Second, 7 * time.Second},
		{"the tenant's queue is full", later(problem.QueueFull, "2"), 1, intake.Returned, 2 * time.Second, 2 * time.Second},
		{"the budget is spent for a month", later(problem.BudgetSpent, "2592000"), 1, intake.Returned, 15 * time.Minute, 15 * time.Minute},
		{"the budget is spent for more than fits", later(problem.BudgetSpent, "99999999999"), 1, intake.Returned, 15 * time.Minute, 15 * time.Minute},
		{"the store is away", later(problem.Unavailable, "2"), 1, intake.Returned, 2 * time.Second, 2 * time.Second},
		{"the store is away for long", later(problem.Unavailable, "2"), 50, intake.Returned, 30 * time.Second, time.Minute},
		{"it would miss its deadline", problem.New(problem.WouldMissDeadline, ""), 1, intake.Returned, 500 * time.Millisecond, time.Second},
		{"a fault of ours", problem.New(problem.Internal, ""), 1, intake.Returned, 500 * time.Millisecond, time.Second},
		{"a fault of ours, each time", problem.New(problem.Internal, ""), 20, intake.Refused, 0, 0},
		{"it is not valid", problem.New(problem.Invalid, ""), 1, intake.Refused, 0, 0},
		{"it is malformed", problem.New(problem.Malformed, ""), 1, intake.Refused, 0, 0},
		{"it is too large", problem.New(problem.TooLarge, ""), 1, intake.Refused, 0, 0},
		{"its id was used", problem.New(problem.IDReused, ""), 1, intake.Refused, 0, 0},
		{"the tenant may not", problem.New(problem.Forbidden, ""), 1, intake.Refused, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			k, bus, log := taker(t, tc.p)
			s := &settled{}
			got := k.Take(t.Context(), "sqs", "search", delivery(tc.number, s))
			if got.Outcome != tc.want || (s.acked == 1) != (tc.want != intake.Returned) || (len(s.after) == 1) != (tc.want == intake.Returned) {
				t.Fatalf("%+v, %+v, want %s", got, s, tc.want)
			}
			if tc.want == intake.Returned && (s.after[0] < tc.at || s.after[0] > tc.most || s.after[0] != got.After) {
				t.Errorf("it comes again after %v, want %v to %v", s.after[0], tc.at, tc.most)
			}
			// Only what is refused is for an operator to see; what was not accepted has no id to show.
			if warned := strings.Contains(log.String(), "WARN"); warned != (tc.want == intake.Refused) ||
				warned && !strings.Contains(log.String(), "message refused") || strings.Contains(log.String(), `message_id=""`) {
				t.Errorf("logged %s", log)
			}
			dead := 0
			for range bus.DeadLetters(t.Context()) {
				dead++
			}
			if (dead == 1) != (tc.want == intake.Refused) {
				t.Errorf("%d dead letters", dead)
			}
		})
	}
}

func TestADeadLetterSaysWhatCameFromWhere(t *testing.T) {
	t.Parallel()
	p := problem.New(problem.Invalid, "Two fields are not valid.", problem.FieldError{Pointer: "/model_id", Detail: "is required"},
		problem.FieldError{Header: "ce-type", Detail: strings.Repeat("é", 2000)})
	k, bus, _ := taker(t, p)
	for range 2 { // a crash between the letter and the settling
		k.Take(t.Context(), "sqs", "search", delivery(1, &settled{fail: errors.New("away")}))
	}
	n := 0
	for l, err := range bus.DeadLetters(t.Context()) {
		n++
		e := l.Event
		if err != nil || e.Extra["place"] != "queue" || e.Extra["originid"] != "seven" || len(fmt.Sprint(e.Extra["originsource"])) != 256 {
			t.Errorf("%+v, %v", e, err)
		}
		if e.ErrorCode != "invalid" || string(e.Data) != secret || e.Tenant != "search" || e.Type != intake.RefusedType {
			t.Errorf("%+v", e)
		}
		if d := e.Dead.Detail; len(d) > 1024 || !strings.Contains(d, "not valid: Two fields are not valid. /model_id is required; ce-type é") {
			t.Errorf("the detail is %q", d)
		}
		if _, err := e.Redrive().Lane(); err == nil {
			t.Error("it can be redriven past the door")
		}
	}
	if n != 1 {
		t.Errorf("%d dead letters, want the same one twice", n)
	}
}

func TestABatchIsTakenEachByItself(t *testing.T) {
	t.Parallel()
	k, _, _ := taker(t, nil)
	wanted := func(t *catalog.Tenant) bool { return t.Intake.SQS }
	all := []*settled{{}, {}, {}}
	list := []intake.Delivery{delivery(1, all[0]), delivery(1, all[1]), delivery(1, all[2])}
	got, err := k.Batch(t.Context(), "search", wanted, list)
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for i := range list {
		if got[i].Outcome != intake.Accepted || all[i].acked != 1 {
			t.Errorf("message %d: %+v", i, got[i])
		}
	}
	if _, err := k.Batch(t.Context(), "nobody", wanted, list); !errors.Is(err, intake.ErrNoTenant) {
		t.Error(err)
	}
	if _, err := k.Batch(t.Context(), "search", func(t *catalog.Tenant) bool { return t.Intake.NATS }, list); !errors.Is(err, intake.ErrNoTenant) {
		t.Error(err)
	}
}

func TestAMessageOfATenantThatIsGoneStays(t *testing.T) {
	t.Parallel()
	k, _, _ := taker(t, nil)
	s := &settled{}
	if got := k.Take(t.Context(), "sqs", "nobody", delivery(1, s)); got.Outcome != intake.Returned || s.acked != 0 || len(s.after) != 1 {
		t.Errorf("%+v, %+v", got, s)
	}
}

// A queue of SQS, or anything else, becomes a door by a few lines; what becomes of its messages is decided here.
func Example() {
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search"}}}
	k := intake.New(intake.Config{
		Door: answering{}, Publisher: membus.New(membus.Options{}), Catalog: func() *catalog.Catalog { return cat },
		Log: slog.New(slog.DiscardHandler),
	})
	s := &settled{}
	taken := k.Take(context.Background(), "", "search", intake.Delivery{
		Arrival: ingest.Arrival{ID: "1", Data: []byte(`{"model_id":"gpt-4-turbo","prompt":"Hello"}`)}, Settler: s,
	})
	fmt.Println(taken.Outcome, s.acked)
	// Output: accepted 1
}
