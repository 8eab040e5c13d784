package lambdatest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/uuid"

	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/webhook"
)

// ledger is the caller's side: it sends requests through the gateway as a careful client does, receives the callbacks, and
// keeps the accounts.
type ledger struct {
	t        *testing.T
	ingest   *lambdatest.Function
	key      string
	receiver *httptest.Server
	verifier *webhook.Verifier
	door     gate // before the receiver's answers

	accepted atomic.Int64
	wake     chan struct{} // gets a value after a callback, perhaps one for several

	mu       sync.Mutex
	messages map[string]string         // message id -> request id, of what was accepted
	received map[string]map[string]int // message id -> webhook-id and digest of the body -> times
	results  map[string]result         // message id -> what was delivered
	digests  map[string]string
	faults   []string

	duplicates int // as settle has counted them
}

type result struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
	Attempts  int    `json:"attempts"`
	Target    string `json:"target"`
	Error     struct {
		Code string `json:"code"`
	} `json:"error"`
}

func newLedger(t *testing.T, c configured) *ledger {
	t.Helper()
	verifier, err := webhook.NewVerifier([]string{c.secret})
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{
		t: t, key: c.key, verifier: verifier, wake: make(chan struct{}, 1), messages: map[string]string{},
		received: map[string]map[string]int{}, results: map[string]result{}, digests: map[string]string{},
	}
	l.receiver = httptest.NewServer(http.HandlerFunc(l.receive))
	t.Cleanup(l.receiver.Close)
	return l
}

func (l *ledger) receive(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	defer l.door.pass(r.Context()) // what it has got it keeps, whether its answer arrives or not
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.verifier.Verify(r.Header, body, time.Now()); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("a callback is not verified: %v", err))
	}
	var res result
	if err := json.Unmarshal(body, &res); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("a callback is no result: %v", err))
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if l.received[res.MessageID] == nil {
		l.received[res.MessageID] = map[string]int{}
	}
	l.received[res.MessageID][r.Header.Get("webhook-id")+" "+digest]++
	l.digests[res.MessageID], l.results[res.MessageID] = digest, res
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// load sends n requests for the model from some clients at once, each until it is accepted.
func (l *ledger) load(ctx context.Context, model string, n, clients int) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range clients {
		wg.Go(func() {
			for next.Add(1) <= int64(n) && ctx.Err() == nil {
				l.send(ctx, model)
			}
		})
	}
	wg.Wait()
}

// send sends one request until it is accepted, under the same request id.
func (l *ledger) send(ctx context.Context, model string) {
	id := uuid.NewString()
	body := fmt.Sprintf(`{"request_id":%q,"model_id":%q,"prompt":"pass it on","callback_url":%q,"metadata":{"é":"<&>"}}`, id, model, l.receiver.URL)
	for ctx.Err() == nil {
		out, err := l.call(ctx, "POST", "/v1/inferences", body)
		var accepted struct {
			MessageID string `json:"message_id"`
		}
		switch {
		case err != nil || out.StatusCode == http.StatusServiceUnavailable:
			continue
		case out.StatusCode != http.StatusAccepted || json.Unmarshal([]byte(out.Body), &accepted) != nil:
			l.faultf("a good request was answered %d: %s", out.StatusCode, out.Body)
			return
		}
		l.mu.Lock()
		l.messages[accepted.MessageID] = id
		l.mu.Unlock()
		l.accepted.Add(1)
		return
	}
}

// call sends a request through the gateway.
func (l *ledger) call(ctx context.Context, method, target, body string) (awsevents.APIGatewayV2HTTPResponse, error) {
	var out awsevents.APIGatewayV2HTTPResponse
	headers := map[string]string{"authorization": "Bearer " + l.key, "content-type": "application/json"}
	answer, err := l.ingest.Invoke(ctx, lambdatest.HTTPEvent(l.t, method, target, headers, body))
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, err
	}
	if out.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(out.Body)
		out.Body = string(decoded)
		return out, err
	}
	return out, nil
}

func (l *ledger) faultf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// settle waits until every accepted request is delivered, and checks the accounts: none is lost, every delivery of one has
// the same id and the same bytes, and its result can be polled, the same again.
func (l *ledger) settle(ctx context.Context) {
	l.t.Helper()
	for l.missing() > 0 {
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.t.Errorf("%d of %d accepted requests were not delivered in time", l.missing(), l.accepted.Load())
			return
		}
	}
	unpolled := 0
	for id := range l.accounts() {
		if err := l.poll(ctx, id); err != nil {
			unpolled++
			l.t.Errorf("%s: %v", id, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delivered, lost := 0, 0
	for id := range l.messages {
		deliveries := l.received[id]
		switch len(deliveries) {
		case 0:
			lost++
			continue
		case 1:
		default:
			l.t.Errorf("%s was delivered in %d versions: %v", id, len(deliveries), deliveries)
		}
		delivered++
		for _, n := range deliveries {
			l.duplicates += n - 1
		}
		if r := l.results[id]; r.Status != "completed" {
			l.t.Errorf("%s came to %+v", id, r)
		}
	}
	for _, f := range l.faults {
		l.t.Error(f)
	}
	l.t.Logf("accepted %d, delivered %d, duplicates %d, lost %d, not to be polled %d", len(l.messages), delivered, l.duplicates, lost, unpolled)
	if lost > 0 {
		l.t.Errorf("%d requests were lost", lost)
	}
}

// accounts returns the ids of what was accepted.
func (l *ledger) accounts() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.messages)
}

func (l *ledger) missing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing := 0
	for id := range l.messages {
		if len(l.received[id]) == 0 {
			missing++
		}
	}
	return missing
}

// poll checks that the result that is polled is what was delivered.
func (l *ledger) poll(ctx context.Context, id string) error {
	out, err := l.call(ctx, "GET", "/v1/inferences/"+id, "")
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if sum := sha256.Sum256([]byte(out.Body)); out.StatusCode != http.StatusOK || hex.EncodeToString(sum[:]) != l.digests[id] {
		return fmt.Errorf("polled %d %s, want what was delivered", out.StatusCode, out.Body)
	}
	return nil
}
