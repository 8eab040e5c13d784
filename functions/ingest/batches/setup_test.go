package batches_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest/batches"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/shared"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Keys of the tenants.
const (
	searchKey = "baton_search_key"
	otherKey  = "baton_other_key"
	narrowKey = "baton_narrow_key" // two requests that have not ended
	pacedKey  = "baton_paced_key"  // a hundred at once, and one a second from then on
)

// world is a chain over memory in virtual time. The steps of batches are made by the test, one at a time.
type world struct {
	t       *testing.T
	door    http.Handler
	step    hop.Handler
	bus     *losingBus
	store   *faultyStore
	results *results.Store
	steps   int

	run, halt func() // the functions beside batches

	mu      sync.Mutex
	catalog *catalog.Catalog
	asked   map[string]int // calls of the model by their prompts
	answer  func(ctx context.Context, prompt string) (model.Answer, error)
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, bus: &losingBus{Bus: membus.New(membus.Options{Wait: time.Second})}, store: &faultyStore{Memory: objects.NewMemory(nil)},
			catalog: parse(t, "search", "other", "narrow", "paced"), asked: map[string]int{}, answer: said,
		}
		cells := &faultyCells{Cells: results.NewMemory()}
		w.results = results.New(cells)
		w.store.cells = cells
		log := slog.New(slog.DiscardHandler)
		known, err := shared.New(shared.Config{Stores: shared.Memory(), Catalog: w.current, Results: w.results, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		c := chain.Config{
			Bus: w.bus, Results: w.results, Catalog: w.current, Models: model.Clients{"openai": w}, Log: log, Objects: w.store, Shared: known,
			Secrets: func(catalog.Secret) (string, error) { return "", nil },
		}
		w.door = c.Ingest()
		function, err := c.Function(events.Batch)
		if err != nil {
			t.Fatal(err)
		}
		w.step = function.Handler
		w.run = func() {
			work, end := context.WithCancel(context.Background())
			var running sync.WaitGroup
			running.Go(func() {
				if err := c.Run(work, events.Schedule, events.Infer, events.Callback); err != nil {
					t.Error(err)
				}
			})
			w.halt = func() {
				end()
				running.Wait()
			}
		}
		w.run()
		defer func() { w.halt() }()
		f(t, w)
	})
}

func parse(t *testing.T, tenants ...string) *catalog.Catalog {
	t.Helper()
	keys := map[string]string{"search": searchKey, "other": otherKey, "narrow": narrowKey, "paced": pacedKey}
	var text strings.Builder
	text.WriteString("models:\n  m: {attempts: 1, targets: [{name: a, api: openai, url: 'http://127.0.0.1:1/v1', concurrency: 500}]}\ntenants:\n")
	for _, name := range tenants {
		more := map[string]string{"narrow": ", queued: 2", "paced": ", rate: 1/s, burst: 100"}
		fmt.Fprintf(&text, "  %s: {keys: ['%s'], models: [m]%s}\n", name, catalog.HashKey(keys[name]), more[name])
	}
	cat, err := catalog.Parse("baton.yaml", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func (w *world) current() *catalog.Catalog {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.catalog
}

// Call implements [model.Client]: it is the model.
func (w *world) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	var messages []struct{ Content json.RawMessage }
	if err := json.Unmarshal(call.Request.Messages, &messages); err != nil || len(messages) != 1 {
		return model.Answer{}, fmt.Errorf("messages %s: %w", call.Request.Messages, err)
	}
	var prompt string
	if json.Unmarshal(messages[0].Content, &prompt) != nil { // it is of parts
		whole, err := expanded(ctx, call)
		if err != nil {
			return model.Answer{}, err
		}
		prompt = strconv.Itoa(whole) + " bytes"
	}
	w.mu.Lock()
	w.asked[prompt]++
	answer := w.answer
	w.mu.Unlock()
	return answer(ctx, prompt)
}

// expanded returns how long the messages of a call are with all that they refer to.
func expanded(ctx context.Context, call model.Call) (int, error) {
	body, err := call.Expand(ctx, call.Target, call.Request.Messages)
	if err != nil {
		return 0, err
	}
	content, err := body.Open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = content.Close() }()
	b, err := io.ReadAll(content)
	return len(b), err
}

// said is the model's answer to a prompt.
func said(_ context.Context, prompt string) (model.Answer, error) {
	message, err := json.Marshal(map[string]string{"role": "assistant", "content": "said " + prompt})
	return model.Answer{Message: message, FinishReason: "stop"}, err
}

func (w *world) answers(f func(context.Context, string) (model.Answer, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// calls returns how often the model was called, and with how many prompts.
func (w *world) calls() (calls, prompts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.asked {
		calls += n
	}
	return calls, len(w.asked)
}

// take takes the events of steps that are due off the bus, after a wait for one.
func (w *world) take() []events.Event {
	w.t.Helper()
	var all []events.Event
	err := w.bus.Receive(w.t.Context(), events.Lane{Hop: events.Batch, Priority: events.Low}, 10, func(d hop.Delivery) {
		all = append(all, d.Event)
		_ = d.Ack(w.t.Context())
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// handle makes a step and stores what it emits. It returns that.
func (w *world) handle(e events.Event) []events.Event {
	w.t.Helper()
	w.steps++
	out, err := w.step(w.t.Context(), e)
	if err != nil {
		w.t.Fatalf("step %s: %v", e.ID, err)
	}
	if err := w.bus.Publish(w.t.Context(), out...); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// work makes steps until enough says so, or for so long.
func (w *world) work(most time.Duration, enough func() bool) {
	w.t.Helper()
	for end := time.Now().Add(most); time.Now().Before(end) && !enough(); {
		for _, e := range w.take() {
			w.handle(e)
		}
		synctest.Wait()
	}
	if !enough() {
		w.t.Fatalf("it did not come so far in %v and %d steps", most, w.steps)
	}
}

// finish makes steps until the batch is over.
func (w *world) finish(id string, most time.Duration, header ...string) batches.Batch {
	w.t.Helper()
	var b batches.Batch
	w.work(most, func() bool {
		b = w.retrieve(id, header...)
		return over(b)
	})
	return b
}

func over(b batches.Batch) bool {
	return b.Status == batches.Completed || b.Status == batches.Failed || b.Status == batches.Expired || b.Status == batches.Cancelled
}

// call makes a request with search's key, unless another is given, and decodes an answer of 200 into v.
func (w *world) call(method, path, body string, v any, header ...string) (status int, answer string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+searchKey)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, r)
	if rec.Code == http.StatusOK && v != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), v); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
		}
	}
	return rec.Code, rec.Body.String()
}

func (w *world) upload(content string, header ...string) (fileID string) {
	w.t.Helper()
	var form bytes.Buffer
	f := multipart.NewWriter(&form)
	_ = f.WriteField("purpose", "batch")
	part, _ := f.CreateFormFile("file", "in.jsonl")
	_, _ = io.WriteString(part, content)
	_ = f.Close()
	var file struct{ ID string }
	status, answer := w.call(http.MethodPost, "/v1/files", form.String(), &file, append(header, "Content-Type", f.FormDataContentType())...)
	if status != http.StatusOK {
		w.t.Fatalf("upload: %d %s", status, answer)
	}
	return file.ID
}

// create makes a batch of the file's content.
func (w *world) create(content string, header ...string) (b batches.Batch) {
	w.t.Helper()
	body := fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, w.upload(content, header...))
	if status, answer := w.call(http.MethodPost, "/v1/batches", body, &b, header...); status != http.StatusOK || b.Status != batches.Validating {
		w.t.Fatalf("create: %d %s", status, answer)
	}
	return b
}

func (w *world) retrieve(id string, header ...string) (b batches.Batch) {
	w.t.Helper()
	if status, answer := w.call(http.MethodGet, "/v1/batches/"+id, "", &b, header...); status != http.StatusOK {
		w.t.Fatalf("retrieve: %d %s", status, answer)
	}
	return b
}

// kept returns how many objects the batch keeps beside its record.
func (w *world) kept(b batches.Batch) int {
	w.t.Helper()
	all, err := w.store.List(w.t.Context(), "batches/search/"+b.ID+"/")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all) - 1
}

// request is a line of an input file.
func request(customID, prompt string) string {
	return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/chat/completions",`+
		`"body":{"model":"m","messages":[{"role":"user","content":%q}]}}`+"\n", customID, prompt)
}

// requests is a file of so many lines.
func requests(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(request(fmt.Sprint("line-", i), fmt.Sprint("prompt ", i)))
	}
	return b.String()
}

// told is a line of an output or error file.
type told struct {
	ID       string
	CustomID string `json:"custom_id"`
	Response *struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
		Body       struct {
			Choices []struct{ Message struct{ Content string } }
			Error   struct{ Code, Message string }
		}
	}
	Error *struct{ Code, Message string }
}

// lines returns the lines of a file in order; none of nil.
func (w *world) lines(fileID *string, header ...string) (all []told) {
	w.t.Helper()
	if fileID == nil {
		return nil
	}
	status, content := w.call(http.MethodGet, "/v1/files/"+*fileID+"/content", "", nil, header...)
	if status != http.StatusOK {
		w.t.Fatalf("content: %d %s", status, content)
	}
	for text := range strings.Lines(content) {
		var l told
		if err := json.Unmarshal([]byte(text), &l); err != nil || !strings.HasPrefix(l.ID, "batch_req_") || l.CustomID == "" {
			w.t.Fatalf("%v in %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

// set puts another configuration in force.
func (w *world) set(c *catalog.Catalog) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.catalog = c
}

// sleep lets virtual time pass.
func sleep(d time.Duration) { time.Sleep(d) }
