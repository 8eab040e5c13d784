package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// caller sends requests and takes their callbacks, and knows how long each took and how it ended.
type caller struct {
	t        *testing.T
	key      string
	receiver *httptest.Server
	client   *http.Client

	mu      sync.Mutex
	waiting map[string]*answered // by message id
	done    map[string]callbackBody
}

// answered is a request under way.
type answered struct {
	sent time.Time
	took time.Duration
	body callbackBody
	done chan struct{}
}

type callbackBody struct {
	MessageID string `json:"message_id"`
	Status    string `json:"status"`
	Target    string `json:"target"`
	Cached    bool   `json:"cached"`
	Output    string `json:"output"`
	Attempts  int    `json:"attempts"`
	Error     struct {
		Code string `json:"code"`
	} `json:"error"`
}

func newCaller(t *testing.T, key string) *caller {
	t.Helper()
	c := &caller{t: t, key: key, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, waiting: map[string]*answered{}, done: map[string]callbackBody{}}
	t.Cleanup(c.client.CloseIdleConnections)
	c.receiver = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b callbackBody
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &b) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if a, ok := c.waiting[b.MessageID]; ok {
			delete(c.waiting, b.MessageID)
			a.took, a.body = time.Since(a.sent), b
			close(a.done)
			return
		}
		c.done[b.MessageID] = b // it came before the 202
	}))
	t.Cleanup(c.receiver.Close)
	return c
}

// send sends a request to the chain at the URL.
func (c *caller) send(ctx context.Context, url, model, prompt string) (*answered, error) {
	a := &answered{sent: time.Now(), done: make(chan struct{})}
	body := fmt.Appendf(nil, `{"request_id":%q,"model_id":%q,"prompt":%q,"callback_url":%q}`,
		uuid.NewString(), model, prompt, c.receiver.URL+"/done")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/inferences", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var accepted struct {
		MessageID string `json:"message_id"`
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusAccepted || json.Unmarshal(text, &accepted) != nil {
		return nil, fmt.Errorf("answered %d %s, %w", resp.StatusCode, text, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.done[accepted.MessageID]; ok {
		a.took, a.body = time.Since(a.sent), b
		close(a.done)
	} else {
		c.waiting[accepted.MessageID] = a
	}
	return a, nil
}

// open sends n requests, one each interval whether or not those before are answered, and waits for all.
func (c *caller) open(ctx context.Context, n int, interval time.Duration, url, model string) []*answered {
	c.t.Helper()
	all := make([]*answered, n)
	var sending sync.WaitGroup
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := range all {
		sending.Go(func() {
			var err error
			if all[i], err = c.send(ctx, url, model, fmt.Sprintf("request %d", i)); err != nil {
				c.t.Errorf("request %d: %v", i, err)
			}
		})
		<-tick.C
	}
	sending.Wait()
	return c.await(ctx, all)
}

// await waits until all are answered.
func (c *caller) await(ctx context.Context, all []*answered) []*answered {
	c.t.Helper()
	for i, a := range all {
		if a == nil {
			c.t.Fatalf("request %d was not accepted", i)
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			c.t.Fatalf("request %d of %d has no answer in time", i, len(all))
		}
	}
	return all
}

// percentile returns how long all but the given share of the requests took at most.
func percentile(all []*answered, share float64) time.Duration {
	took := make([]time.Duration, len(all))
	for i, a := range all {
		took[i] = a.took
	}
	slices.Sort(took)
	return took[min(int(share*float64(len(took))), len(took)-1)].Round(time.Millisecond)
}

// failed returns how many did not complete, by their error's code.
func failed(all []*answered) map[string]int {
	codes := map[string]int{}
	for _, a := range all {
		if a.body.Status != "completed" {
			codes[a.body.Error.Code]++
		}
	}
	return codes
}
