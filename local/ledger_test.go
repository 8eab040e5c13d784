package local_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/internal/webhook"
)

// ledger is the caller's side of a chain that is being killed: it sends requests as a careful client does, receives the
// callbacks, and keeps the accounts.
type ledger struct {
	url, key string
	receiver *httptest.Server
	verifier *webhook.Verifier

	accepted atomic.Int64
	wake     chan struct{} // gets a value after a callback, perhaps one for several

	mu       sync.Mutex
	messages map[string]bool           // accepted
	received map[string]map[string]int // message id -> webhook-id and digest of the body -> times
	digests  map[string]string         // message id -> digest of the body
	faults   []string
}

func newLedger(t *testing.T, key, secret string) *ledger {
	t.Helper()
	verifier, err := webhook.NewVerifier([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{
		key: key, verifier: verifier, wake: make(chan struct{}, 1),
		messages: map[string]bool{}, received: map[string]map[string]int{}, digests: map[string]string{},
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.verifier.Verify(r.Header, body, time.Now()); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("a callback is not verified: %v", err))
	}
	var result struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal(body, &result); err != nil {
		l.faults = append(l.faults, fmt.Sprintf("a callback is no result: %v", err))
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	delivery := r.Header.Get("webhook-id") + " " + digest
	if l.received[result.MessageID] == nil {
		l.received[result.MessageID] = map[string]int{}
	}
	l.received[result.MessageID][delivery]++
	l.digests[result.MessageID] = digest
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// load sends n requests from some clients at once, each until it is accepted.
func (l *ledger) load(ctx context.Context, n, clients int) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range clients {
		wg.Go(func() {
			for next.Add(1) <= int64(n) && ctx.Err() == nil {
				l.send(ctx)
			}
		})
	}
	wg.Wait()
}

// loadUntil sends requests from some clients at once until loading is done; what is begun then goes on until ctx is.
func (l *ledger) loadUntil(loading, ctx context.Context, clients int) {
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for loading.Err() == nil {
				l.send(ctx)
				pause(loading, 20*time.Millisecond)
			}
		})
	}
	wg.Wait()
}

// send sends one request until it is accepted: whatever happens to the chain meanwhile, under the same request id.
func (l *ledger) send(ctx context.Context) {
	body := fmt.Appendf(nil, `{"request_id":%q,"model_id":"m","prompt":"pass it on","callback_url":%q,"metadata":{"é":"<&>"}}`,
		uuid.NewString(), l.receiver.URL+"/callbacks")
	for ctx.Err() == nil {
		id, err := l.post(ctx, body)
		if err == nil {
			l.mu.Lock()
			l.messages[id] = true
			l.mu.Unlock()
			l.accepted.Add(1)
			return
		}
		select { // the chain is down or comes up
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (l *ledger) post(ctx context.Context, body []byte) (messageID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/v1/inferences", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusBadGateway {
		return "", fmt.Errorf("answered %d", resp.StatusCode)
	}
	var accepted struct {
		MessageID string `json:"message_id"`
	}
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal(answer, &accepted) != nil {
		l.mu.Lock()
		l.faults = append(l.faults, fmt.Sprintf("a good request was answered %d: %s", resp.StatusCode, answer))
		l.mu.Unlock()
		return "", fmt.Errorf("answered %d", resp.StatusCode)
	}
	return accepted.MessageID, nil
}

// settle waits until every accepted request is delivered, and checks the accounts: no request is lost, every delivery of one
// has the same id and the same bytes, and its result can be polled, the same again.
func (l *ledger) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	for l.missing() > 0 {
		select {
		case <-l.wake:
		case <-ctx.Done():
			t.Errorf("%d of %d accepted requests were not delivered in time", l.missing(), len(l.messages))
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delivered, duplicates, lost, unpolled := 0, 0, 0, 0
	for id := range l.messages {
		deliveries := l.received[id]
		if len(deliveries) == 0 {
			lost++
			continue
		}
		delivered++
		if len(deliveries) > 1 {
			t.Errorf("%s was delivered in %d versions: %v", id, len(deliveries), deliveries)
		}
		for _, n := range deliveries {
			duplicates += n - 1
		}
		if err := l.poll(ctx, id); err != nil {
			unpolled++
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, f := range l.faults {
		t.Error(f)
	}
	t.Logf("accepted %d, delivered %d, duplicates %d, lost %d, not to be polled %d", len(l.messages), delivered, duplicates, lost, unpolled)
	if lost > 0 {
		t.Errorf("%d requests were lost", lost)
	}
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

// poll checks that the result that is polled is what was delivered. The caller holds the lock.
func (l *ledger) poll(ctx context.Context, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/v1/inferences/"+id, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(body); resp.StatusCode != http.StatusOK || hex.EncodeToString(sum[:]) != l.digests[id] {
		return fmt.Errorf("polled %d %s, want what was delivered", resp.StatusCode, body)
	}
	return nil
}
