package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/natstest"
)

// streamWorld is the functions as processes of their own, two of them ingest, with a model that waits for the test.
type streamWorld struct {
	t         *testing.T
	model     *gatedModel
	key       string
	env       []string
	nc        *nats.Conn
	urls      [2]string // of the ingests
	ingests   [2]*processUnderTest
	callbacks *httptest.Server
	called    chan []byte // bodies of callbacks
}

// newStreamWorld starts all of them but infer.
func newStreamWorld(t *testing.T) *streamWorld {
	t.Helper()
	w := &streamWorld{t: t, model: newGatedModel(t), called: make(chan []byte, 16)}
	w.callbacks = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			w.called <- body
		}
	}))
	t.Cleanup(w.callbacks.Close)
	dir := t.TempDir()
	broker := natstest.StartOptions(t, &server.Options{
		JetStream: true, StoreDir: filepath.Join(dir, "nats"), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
	})
	w.nc = natstest.Connect(t, broker)
	var config string
	config, w.key, _ = writeConfig(t, dir, fmt.Sprintf("{name: model, api: openai, url: %s/v1}", w.model.URL))
	w.env = append(os.Environ(), "BATON_CONFIG="+config, "BATON_NATS_URL="+broker.ClientURL(), "BATON_LISTEN=")
	for i := range w.ingests {
		address := freeAddress(t)
		w.urls[i] = "http://" + address
		w.ingests[i] = start(t, build(t, "ingest"), append(w.env, "BATON_LISTEN="+address), `"msg":"started"`)
	}
	w.start("schedule")
	w.start("callback")
	return w
}

func (w *streamWorld) start(function string) *processUnderTest {
	w.t.Helper()
	return start(w.t, build(w.t, function), w.env, `"msg":"started"`)
}

// native sends a request that is to be streamed, and returns the path of its message at any ingest.
func (w *streamWorld) native(ctx context.Context, prompt string) string {
	w.t.Helper()
	body := fmt.Sprintf(`{"request_id":%q,"model_id":"m","prompt":%q,"stream":true,"callback_url":"%s/done"}`,
		uuid.NewString(), prompt, w.callbacks.URL)
	answer := w.ask(ctx, http.MethodPost, w.urls[0]+"/v1/inferences", body)
	var accepted struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.MessageID == "" {
		w.t.Fatalf("answered %s", answer)
	}
	return "/v1/inferences/" + accepted.MessageID
}

// openai opens the stream of a chat completion.
func (w *streamWorld) openai(ctx context.Context, prompt string, header ...string) *listener {
	w.t.Helper()
	body := fmt.Sprintf(`{"model":"m","stream":true,"messages":[{"role":"user","content":%q}]}`, prompt)
	return listen(ctx, w.t, http.MethodPost, w.urls[0]+"/v1/chat/completions", w.key, body, header...)
}

// follow opens the stream of a message at an ingest.
func (w *streamWorld) follow(ctx context.Context, ingest int, path string, header ...string) *listener {
	w.t.Helper()
	return listen(ctx, w.t, http.MethodGet, w.urls[ingest]+path+"/stream", w.key, "", header...)
}

func (w *streamWorld) ask(ctx context.Context, method, url, body string) []byte {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d %s, %v", method, url, resp.StatusCode, answer, err)
	}
	return answer
}

// text is what a delta says.
func (e told) text(t *testing.T) string {
	t.Helper()
	var d struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal([]byte(e.data), &d); err != nil || e.name != "delta" {
		t.Fatalf("came %s, want a delta", e)
	}
	return d.Text
}

// TestAStreamGoesOnAtAnotherProcess kills the ingest that a caller reads from in the middle of an answer: the caller goes on at
// another, and ends with the bytes that polling and the callback have.
func TestAStreamGoesOnAtAnotherProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	w := newStreamWorld(t)
	w.start("infer")
	path := w.native(ctx, "Who runs?")
	s := w.follow(ctx, 0, path)
	call := w.model.call(ctx, "Who runs?")
	call.say(ctx, t, "One ")
	first := s.until("delta") // while the model holds back the rest
	if first.text(t) != "One " || first.id == "" {
		t.Fatalf("first came %s", first)
	}
	w.ingests[0].kill()
	if rest := s.rest(); len(rest) > 0 {
		t.Errorf("came %v of a dead process", rest)
	}
	call.say(ctx, t, "runs, ") // which nobody reads now

	s = w.follow(ctx, 1, path, "Last-Event-ID", first.id)
	if e := s.until("delta"); e.text(t) != "runs, " {
		t.Errorf("it goes on with %s", e)
	}
	call.say(ctx, t, "all wait.")
	if e := s.until("delta"); e.text(t) != "all wait." {
		t.Errorf("it goes on with %s", e)
	}
	close(call.texts)
	result := s.until("result")
	if rest := s.rest(); len(rest) > 0 || !strings.Contains(result.data, `"output":"One runs, all wait."`) {
		t.Errorf("the end is %s, %v", result, rest)
	}
	if polled := w.ask(ctx, http.MethodGet, w.urls[1]+path, ""); string(bytes.TrimSpace(polled)) != result.data {
		t.Errorf("polled %s\nstreamed %s", polled, result.data)
	}
	select {
	case body := <-w.called:
		if string(bytes.TrimSpace(body)) != result.data {
			t.Errorf("called back %s\nstreamed %s", body, result.data)
		}
	case <-ctx.Done():
		t.Error("there is no callback")
	}
}

// TestAnAnswerThatBreaksOffIsNeverMixedWithAnother kills infer in the middle of three answers. What makes them anew says the same
// or something else: the native stream says that it restarts, and a client of OpenAI's gets the rest of the same, or is told.
func TestAnAnswerThatBreaksOffIsNeverMixedWithAnother(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	w := newStreamWorld(t)
	infer := w.start("infer")
	const native, same, other = "native", "the same again", "another"
	streams := map[string]*listener{native: w.follow(ctx, 1, w.native(ctx, native))}
	opened := make(chan *listener)
	for _, prompt := range []string{same, other} {
		go func() { opened <- w.openai(ctx, prompt) }() // which is answered from the first token on
		w.model.call(ctx, prompt).say(ctx, t, "The sky is ")
		streams[prompt] = <-opened
		if e, _ := streams[prompt].next(); said(e.data) != "The sky is " {
			t.Fatalf("first came %s", e)
		}
	}
	w.model.call(ctx, native).say(ctx, t, "The sky is ")
	streams[native].until("delta")

	infer.kill()
	w.start("infer") // which gets them when their leases are over
	for prompt, answer := range map[string][]string{native: {"Grass ", "is green."}, same: {"The ", "sky is ", "blue."}, other: {"Grass ", "is green."}} {
		call := w.model.call(ctx, prompt)
		for _, text := range answer {
			call.say(ctx, t, text)
		}
		close(call.texts)
	}
	if e, _ := streams[native].next(); e.name != "restart" {
		t.Errorf("the native stream goes on with %s", e)
	}
	for _, want := range []string{"Grass ", "is green."} {
		if e, _ := streams[native].next(); e.text(t) != want {
			t.Errorf("the native stream goes on with %s, want %q", e, want)
		}
	}
	if e := streams[native].until("result"); !strings.Contains(e.data, `"output":"Grass is green."`) {
		t.Errorf("the native stream ends with %s", e)
	}
	rest := streams[same].rest()
	if textOf(rest) != "blue." || rest[len(rest)-1].data != "[DONE]" {
		t.Errorf("the rest of the same is %v", rest)
	}
	if rest = streams[other].rest(); len(rest) != 1 || !strings.Contains(rest[0].data, `"code":"stream_interrupted"`) {
		t.Errorf("after another answer comes %v", rest)
	}
}

// TestWithoutAHistoryAStreamIsLessImmediate takes away what keeps pieces: who listens gets them as they are made, who comes again
// has to wait for the next, and both get the result.
func TestWithoutAHistoryAStreamIsLessImmediate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	w := newStreamWorld(t)
	w.start("infer")
	js, err := jetstream.New(w.nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(ctx, "BATON_TOKENS"); err != nil {
		t.Fatal(err)
	}
	path := w.native(ctx, "Who runs?")
	s := w.follow(ctx, 0, path)
	call := w.model.call(ctx, "Who runs?")
	call.say(ctx, t, "One ")
	first := s.until("delta")
	call.say(ctx, t, "runs, ")
	s.until("delta")

	again := w.follow(ctx, 1, path, "Last-Event-ID", first.id)
	again.until("status")
	// A piece that is made before the second listener is known to the broker is missed: there is no sign of when it is.
	opened := make(chan *listener)
	go func() { opened <- w.openai(ctx, "Who else?") }()
	other := w.model.call(ctx, "Who else?")
	other.say(ctx, t, "Two.")
	o := <-opened
	close(other.texts)
	if text := textOf(o.rest()); text != "Two." {
		t.Errorf("a client of OpenAI's gets %q", text)
	}
	call.say(ctx, t, "all wait.")
	if e := s.until("delta"); e.text(t) != "all wait." {
		t.Errorf("who listens gets %s", e)
	}
	close(call.texts)
	result, same := s.until("result"), again.until("result")
	if result != same || !strings.Contains(result.data, `"output":"One runs, all wait."`) {
		t.Errorf("the ends are %s and %s", result, same)
	}
}

// textOf is what the chunks say.
func textOf(chunks []told) string {
	var text strings.Builder
	for _, e := range chunks {
		text.WriteString(said(e.data))
	}
	return text.String()
}

// TestWhoHangsUpMayCancel hangs up two streams of requests that have not begun: the one that said so is canceled, and the model
// is never asked; the other runs.
func TestWhoHangsUpMayCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	w := newStreamWorld(t)
	seen, err := w.nc.SubscribeSync("baton.schedule.>")
	if err != nil {
		t.Fatal(err)
	}
	hangUp := func(prompt, wish string) string {
		hearing, hang := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			body := fmt.Sprintf(`{"model":"m","stream":true,"messages":[{"role":"user","content":%q}]}`, prompt)
			req, err := http.NewRequestWithContext(hearing, http.MethodPost, w.urls[0]+"/v1/chat/completions", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+w.key)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Baton-Cancel-On-Disconnect", wish)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				t.Errorf("answered %d before the model was asked", resp.StatusCode)
			}
		}()
		m, err := seen.NextMsgWithContext(ctx)
		if err != nil {
			t.Fatal(err)
		}
		hang()
		<-ended
		return w.urls[1] + "/v1/inferences/" + m.Header.Get("ce-subject")
	}
	canceled, kept := hangUp("canceled", "true"), hangUp("kept", "false")
	// Both are at schedule, or past it, when infer begins.
	for !strings.Contains(string(w.ask(ctx, http.MethodGet, canceled, "")), `"status":"canceled"`) {
		pause(ctx, 10*time.Millisecond)
	}
	w.start("infer")
	call := w.model.call(ctx, "kept")
	call.say(ctx, t, "Here.")
	close(call.texts)
	if result := w.ask(ctx, http.MethodGet, kept+"?wait=60", ""); !strings.Contains(string(result), `"output":"Here."`) {
		t.Errorf("the one that is kept came to %s", result)
	}
	select {
	case <-w.model.of("canceled"):
		t.Error("the model was asked for what is canceled")
	default:
	}
}
