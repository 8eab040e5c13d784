package openai_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.uber.org/goleak"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/oip"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys of the tenants.
const (
	searchKey = "baton_search_key" // any model
	narrowKey = "baton_narrow_key" // model small alone
	slowKey   = "baton_slow_key"   // one request in an hour
)

// writeTimeout is the server's, far below what calls wait: whoever answers late has to put it off.
const writeTimeout = 50 * time.Millisecond

// world is a chain over memory, and the model server behind it.
type world struct {
	url    string // of the chain
	bare   string // of the model server itself
	store  *results.Store
	relay  *tokens.Memory
	bus    *membus.Bus
	drain  context.CancelFunc
	close  func()                // waits until every call is over
	models chan http.HandlerFunc // answers the next call of a model in the place of the simulated one
}

// setup returns a running chain. Without hops named, all of them run.
func setup(t *testing.T, idle bool, options ...func(*chain.Config)) *world {
	t.Helper()
	w := &world{
		store: results.New(results.NewMemory()), relay: tokens.NewMemory(), models: make(chan http.HandlerFunc, 16),
		bus: membus.New(membus.Options{Wait: 100 * time.Millisecond}),
	}
	server := simulated.New(catalog.Simulate{Tokens: 12, Seed: 7}, "gpt-4o", "small", "org/model")
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer bare" {
			select {
			case h := <-w.models:
				h(rw, r)
				return
			default:
			}
		}
		server.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.bare = front.URL
	cat := parse(t, front.URL)
	clients := model.NewOpenAI(model.OpenAIConfig{Key: func(catalog.Secret) (string, error) { return "", nil }})
	t.Cleanup(clients.Close)
	tensors := oip.NewHTTP(oip.HTTPConfig{})
	t.Cleanup(tensors.Close)
	drain, stop := context.WithCancel(context.Background())
	w.drain = stop
	log := slog.New(slog.DiscardHandler)
	known, err := shared.New(shared.Config{
		Stores: shared.Stores{}, Catalog: func() *catalog.Catalog { return cat }, Results: w.store, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := chain.Config{
		Bus: w.bus, Results: w.store, Catalog: func() *catalog.Catalog { return cat }, Models: model.Clients{catalog.OpenAI: clients, catalog.OIPHTTP: tensors},
		Secrets: func(catalog.Secret) (string, error) { return "", nil }, Log: log, Tokens: w.relay, Drain: drain, Shared: known,
	}
	for _, o := range options {
		o(&c)
	}
	door := httptest.NewUnstartedServer(c.Ingest())
	door.Config.WriteTimeout = writeTimeout
	door.Start()
	t.Cleanup(door.Close)
	w.url, w.close = door.URL, door.Close
	work, end := context.WithCancel(context.Background())
	var running sync.WaitGroup
	if !idle {
		running.Go(func() {
			if err := c.Run(work); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		end()
		running.Wait()
	})
	return w
}

func parse(t *testing.T, models string) *catalog.Catalog {
	t.Helper()
	target := func(name, of, more string) string {
		return "{name: " + name + ", api: openai, url: '" + models + "/v1', model: '" + of + "', timeout: 30s" + more + "}"
	}
	hash := catalog.HashKey
	cat, err := catalog.Parse("baton.yaml", []byte(strings.Join([]string{
		"models:",
		"  gpt-4o: {attempts: 3, targets: [" + target("a", "gpt-4o", "") + ", " + target("b", "gpt-4o", "") + "]}",
		"  small: {attempts: 1, targets: [" + target("c", "small", "") + "]}",
		"  kept: {cache: 10m, targets: [" + target("d", "gpt-4o", "") + "]}",
		"  org/model: {targets: [" + target("e", "org/model", "") + "]}",
		"  tensors: {targets: [{name: t, api: oip-http, url: '" + models + "', model: m}]}",
		"  gone: {attempts: 1, targets: [" + target("f", "unheard-of", "") + "]}",
		"tenants:",
		"  search: {keys: ['" + hash(searchKey) + "'], models: ['*']}",
		"  narrow: {keys: ['" + hash(narrowKey) + "'], models: [small]}",
		"  slow: {keys: ['" + hash(slowKey) + "'], models: ['*'], rate: 1/h, burst: 1}",
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// client returns an official client of the chain.
func (w *world) client(options ...option.RequestOption) client.Client {
	return client.NewClient(append([]option.RequestOption{
		option.WithBaseURL(w.url + "/v1"), option.WithAPIKey(searchKey), option.WithMaxRetries(0),
	}, options...)...)
}

// bareClient returns an official client of the model server itself.
func (w *world) bareClient() client.Client {
	return client.NewClient(option.WithBaseURL(w.bare+"/v1"), option.WithAPIKey("bare"), option.WithMaxRetries(0))
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with search's key and a JSON body, unless header says otherwise; an empty value leaves the header out.
func (w *world) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+searchKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(got)}
}

func (w *world) post(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	return w.do(t, http.MethodPost, path, body, header...)
}

// apiError is an error as OpenAI shapes it.
type apiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (a answer) error(t *testing.T) apiError {
	t.Helper()
	var e struct{ Error *apiError }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Error == nil || e.Error.Message == "" || e.Error.Type == "" {
		t.Fatalf("answered %d %s, %v: no error of OpenAI's", a.status, a.body, err)
	}
	return *e.Error
}

// text returns the value of what may be null.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// own matches what of an answer is its own: ids and times.
var own = regexp.MustCompile(`"(id|item_id|call_id)":"[^"]*"|"(created|created_at)":[0-9.]+`)

// neutral returns JSON without what is of one answer alone, and its members in order.
func neutral(t *testing.T, raw string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(own.ReplaceAllString(raw, `"$1$2":0`)), &v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// same checks that two answers are the same but for ids and times.
func same(t *testing.T, got, want string) {
	t.Helper()
	if g, w := neutral(t, got), neutral(t, want); g != w {
		t.Errorf("answered\n %s\nthe bare server\n %s", g, w)
	}
}

// idempotent returns the request id that an Idempotency-Key stands for.
func idempotent(key string) string {
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.Header.Set("Idempotency-Key", key)
	sub, _ := ingest.Heading(r)
	return sub.FallbackID
}
