package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

var (
	firstToken = flag.Duration("first-token", 0, "how long first tokens are timed at half load; default: some requests, whose time nobody looks at")
	firstShare = flag.Float64("first-token-share", 0.5, "the part of the highest rate at which first tokens are timed")
	firstWay   = flag.Bool("first-token-way", false, "listen at the broker, too, to say where the time goes, which costs some")
	firstBar   = flag.Duration("first-token-bar", 10*time.Millisecond,
		"how much later than by the model itself 99 of 100 first tokens may come through the chain, with -first-token")
)

const (
	firstSearch   = 4 * time.Second // how long each step of the search for the highest rate lasts
	firstInFlight = 32              // at its first step, and twice as many at each that follows
	firstMost     = 512             // at its last
	firstSome     = 24
	firstBody     = `{"model":"m","stream":true,"messages":[{"role":"user","content":"Who carries the baton over the last hundred metres?"}]}`

	firstThought = 20 * time.Millisecond // of the model, before its first token
	firstBetween = 5 * time.Millisecond  // from one token to the next
	firstTokens  = 16
)

// TestTheFirstTokenComesSoonAfterTheModelMadeIt streams chat completions through the chain, a real process, and asks the model
// itself for the same with each tenth. With -first-token it looks for the highest rate by keeping ever more in flight, then sends
// half as many (-first-token-share), at random moments and whether or not those before are answered, and says how much later their first tokens come.
// The callers, the model and the chain share this machine: the rate is that of all three.
func TestTheFirstTokenComesSoonAfterTheModelMadeIt(t *testing.T) {
	if *firstToken == 0 {
		t.Parallel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), *firstToken+2*time.Minute)
	defer cancel()
	r := newFirstRun(t)
	if *firstToken == 0 {
		r.open(ctx, firstSome, func() time.Duration { return firstBetween })
		return
	}
	highest, inFlight := 0.0, firstInFlight
	for n := firstInFlight; n <= firstMost; n *= 2 {
		rate := r.closed(ctx, n, firstSearch)
		t.Logf("%d in flight: %.0f a second", n, rate)
		if rate > highest {
			highest, inFlight = rate, n
		}
	}
	rate := highest * *firstShare
	random := rand.New(rand.NewPCG(1, 2))
	all := r.open(ctx, int(rate*firstToken.Seconds()), func() time.Duration {
		return time.Duration(random.ExpFloat64() / rate * float64(time.Second))
	})
	t.Logf("highest rate %.0f a second, %d in flight; at %.2f of it, %d requests:\n%s", highest, inFlight, *firstShare, len(all), firstTable(all))
	if added := quantile(all, 0.99, pair.added); added > *firstBar {
		t.Errorf("1 of 100 first tokens comes %s later than the model had it, or more, want %s", added, *firstBar)
	}
}

// firstRun is a chain, the model it calls, and who streams from both.
type firstRun struct {
	t          *testing.T
	url, model string
	key        string
	client     *http.Client

	mu     sync.Mutex
	passed map[string]*passed // by message id
}

// passed is when parts of a request went by at the broker.
type passed struct{ accepted, scheduled, token time.Time }

func newFirstRun(t *testing.T) *firstRun {
	t.Helper()
	models := httptest.NewServer(http.HandlerFunc(speak))
	t.Cleanup(models.Close)
	dir := t.TempDir()
	config, key, _ := writeConfig(t, dir, fmt.Sprintf("{name: model, api: openai, concurrency: 1024, url: %s/v1}", models.URL))
	address, broker := freeAddress(t), freeAddress(t)
	start(t, build(t, "baton"), nil, "baton is up",
		"up", "--listen", address, "--nats-listen", broker, "--config", config, "--data", filepath.Join(dir, "data"), "--log", "warn")
	r := &firstRun{t: t, url: "http://" + address, model: models.URL, key: key, client: benchClient(), passed: map[string]*passed{}}
	t.Cleanup(r.client.CloseIdleConnections)
	if *firstToken > 0 && !*firstWay {
		return r
	}
	nc, err := nats.Connect("nats://" + broker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	for _, subject := range []string{"baton.schedule.>", "baton.infer.>", "baton.tokens.>"} {
		if _, err := nc.Subscribe(subject, r.pass); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return r
}

// speak is the model: its first token says when it was asked and when it answered.
func speak(w http.ResponseWriter, r *http.Request) {
	asked := time.Now()
	_, _ = io.Copy(io.Discard, r.Body)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	for n := range firstTokens {
		d := firstBetween
		if n == 0 {
			d = firstThought
		}
		pause(r.Context(), d)
		token := "token "
		if n == 0 {
			token = fmt.Sprintf("%d %d ", asked.UnixNano(), time.Now().UnixNano())
		}
		say(w, fmt.Sprintf(`{"role":"assistant","content":%q}`, token), "null")
	}
	say(w, "{}", `"stop"`)
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// say writes a chunk as a model does.
func say(w http.ResponseWriter, delta, finish string) {
	_, _ = fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}`+"\n\n",
		delta, finish)
	_ = http.NewResponseController(w).Flush()
}

// pass notes what goes by at the broker.
func (r *firstRun) pass(m *nats.Msg) {
	now := time.Now()
	id, isToken := strings.CutPrefix(m.Subject, "baton.tokens.")
	if !isToken {
		id = m.Header.Get("ce-subject")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.passed[id]
	if !ok {
		p = &passed{}
		r.passed[id] = p
	}
	at := &p.accepted
	switch {
	case isToken:
		at = &p.token
	case strings.HasPrefix(m.Subject, "baton.infer."):
		at = &p.scheduled
	}
	if at.IsZero() {
		*at = now
	}
}

// way is one stream, from its request to its first token.
type way struct {
	id         string
	sent, came time.Time // at the caller: the request, the token
	asked, out time.Time // at the model
}

func (w way) took() time.Duration { return w.came.Sub(w.sent) }

// firstDirect is how many streams through the chain there are to one of the model's own, which is a load of its own.
const firstDirect = 10

// pair is a stream through the chain and, with some, one of the model's own that began at the same moment.
type pair struct {
	through, direct way
	passed
}

// added is what the way through the chain took, and the networks on it: all but the model's own time.
func (p pair) added() time.Duration { return p.through.took() - p.through.out.Sub(p.through.asked) }

// stream streams one completion to its end.
func (r *firstRun) stream(ctx context.Context, url string) (w way, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(firstBody))
	if err != nil {
		return w, err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Content-Type", "application/json")
	w.sent = time.Now()
	resp, err := r.client.Do(req)
	if err != nil {
		return w, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return w, fmt.Errorf("answered %d", resp.StatusCode)
	}
	w.id = resp.Header.Get("X-Request-Id")
	tokens := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" && tokens == firstTokens {
			return w, nil
		}
		token := said(data)
		if token != "" {
			tokens++
		}
		if tokens == 1 && w.came.IsZero() {
			w.came = time.Now()
			var asked, out int64
			if _, err := fmt.Sscan(token, &asked, &out); err != nil {
				return w, fmt.Errorf("first came %q", token)
			}
			w.asked, w.out = time.Unix(0, asked), time.Unix(0, out)
		}
	}
	return w, errors.Join(fmt.Errorf("the stream broke off after %d tokens", tokens), ctx.Err())
}

// said is what a chunk says.
func said(data string) string {
	var c struct {
		Choices []struct {
			Delta struct {
				Content string `json:"content"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if json.Unmarshal([]byte(data), &c) != nil || len(c.Choices) == 0 {
		return ""
	}
	return c.Choices[0].Delta.Content
}

// closed keeps n streams through the chain in flight for so long, and returns how many ended a second.
func (r *firstRun) closed(ctx context.Context, n int, d time.Duration) float64 {
	r.t.Helper()
	began := time.Now()
	var ended atomic.Int64
	var streaming sync.WaitGroup
	for range n {
		streaming.Go(func() {
			for time.Since(began) < d {
				if _, err := r.stream(ctx, r.url); err != nil {
					r.t.Error(err)
					return
				}
				ended.Add(1)
			}
		})
	}
	streaming.Wait()
	return float64(ended.Load()) / time.Since(began).Seconds()
}

// open begins n streams, with pauses that do not depend on how they go, and waits for all.
func (r *firstRun) open(ctx context.Context, n int, between func() time.Duration) []pair {
	r.t.Helper()
	all := make([]pair, n)
	var streaming sync.WaitGroup
	next := time.Now()
	for i := range all {
		ways := map[string]*way{r.url: &all[i].through}
		if i%firstDirect == 0 {
			ways[r.model] = &all[i].direct
		}
		for to, w := range ways {
			streaming.Go(func() {
				var err error
				if *w, err = r.stream(ctx, to); err != nil {
					r.t.Errorf("stream %d from %s: %v", i, to, err)
				}
			})
		}
		next = next.Add(between())
		pause(ctx, time.Until(next))
	}
	streaming.Wait()
	if r.t.Failed() {
		r.t.FailNow()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range all {
		if p, ok := r.passed[all[i].through.id]; ok {
			all[i].passed = *p
		}
	}
	return all
}
