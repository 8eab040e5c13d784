package openai_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/functions/ingest/openai"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// stream is an answer that is read as it comes.
type stream struct {
	*bufio.Scanner
	res *http.Response
}

// open begins a streamed call; its answer begins when there is something to say.
func (w *world) open(t *testing.T, method, path, body, key string) <-chan *stream {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+searchKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	opened := make(chan *stream, 1)
	go func() {
		defer close(opened)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		opened <- &stream{bufio.NewScanner(res.Body), res}
	}()
	return opened
}

// next returns the data of the next event, "" at the end.
func (s *stream) next() string {
	for s.Scan() {
		if data, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			return data
		}
	}
	s.res.Body.Close()
	return ""
}

// rest returns the data of all events that are left.
func (s *stream) rest() (all []string) {
	for data := s.next(); data != ""; data = s.next() {
		all = append(all, data)
	}
	return all
}

// say hands on the n-th piece of an attempt's answer.
func (w *world) say(id string, attempt, n int, choices string) {
	w.relay.Send(id, tokens.Piece{ID: tokens.ID{Attempt: attempt, Token: 1, N: n}, Choices: json.RawMessage(choices)})
}

func delta(s string) string {
	return fmt.Sprintf(`[{"index":0,"delta":{"content":%q},"logprobs":null,"finish_reason":null}]`, s)
}

const (
	role = `[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`
	stop = `[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]`
)

// end writes the result of a request, as the callback hop does.
func (w *world) end(t *testing.T, id string, set func(*events.Result)) {
	t.Helper()
	r := events.Result{
		MessageID: id, Status: events.StatusCompleted, ModelID: "gpt-4o", FinishReason: "stop",
		Timings: events.Timings{AcceptedAt: time.Now(), CompletedAt: time.Now()},
	}
	set(&r)
	body, err := r.Encode()
	must(t, err)
	_, err = w.store.End(t.Context(), id, results.Ending{EventID: "e", Status: r.Status, Body: body})
	must(t, err)
}

func says(output string) func(*events.Result) {
	return func(r *events.Result) {
		r.Output, r.Message = output, fmt.Appendf(nil, `{"role":"assistant","content":%q,"refusal":null}`, output)
	}
}

// accepted waits until the request of the key is there, and returns its message id.
func (w *world) accepted(t *testing.T, key string) string {
	t.Helper()
	id := events.MessageID("search", idempotent(key))
	until(t, func() bool { _, err := w.store.Look(t.Context(), id); return err == nil })
	return id
}

const streamedHello = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Hello"}]}`

func TestPiecesComeWhileTheyAreMade(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	opened := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	s := <-opened
	if got := s.res.Header; got.Get("Content-Type") != "text/event-stream" || got.Get("X-Request-Id") != id {
		t.Errorf("answered %v", got)
	}
	if got := s.next(); !strings.Contains(got, `"role":"assistant"`) || !strings.Contains(got, `"id":"chatcmpl-`+strings.ReplaceAll(id, "-", "")) {
		t.Errorf("first came %s", got)
	}
	w.say(id, 1, 1, delta("one"))
	if got := s.next(); !strings.Contains(got, `"content":"one"`) {
		t.Errorf("then came %s", got)
	}
	w.end(t, id, says("one two"))
	got := s.rest()
	if len(got) != 3 || !strings.Contains(got[0], `"content":" two"`) || !strings.Contains(got[1], `"finish_reason":"stop"`) || got[2] != "[DONE]" {
		t.Errorf("at the end came %q", got)
	}
}

func TestAStreamIsNeverAMixture(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	opened := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	w.say(id, 1, 1, delta("The sky is "))
	s := <-opened
	s.next()
	s.next()
	w.say(id, 2, 0, role)
	w.say(id, 2, 1, delta("Grass is green"))
	w.say(id, 2, 2, stop)
	w.end(t, id, says("Grass is green"))
	got := s.rest()
	if len(got) != 1 || !strings.Contains(got[0], `"code":"stream_interrupted"`) || !strings.Contains(got[0], "GET /v1/inferences/"+id) {
		t.Errorf("came %q", got)
	}
}

func TestPiecesOfAnotherRequestAreNotTold(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	first := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	s := <-first
	s.next()
	a := w.post(t, chatPath, strings.Replace(streamedHello, "Hello", "Other", 1), "Idempotency-Key", "k")
	if e := a.error(t); a.status != 422 || text(e.Code) != "idempotency_key_reused" {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	w.end(t, id, says("one"))
	if got := s.rest(); len(got) != 3 {
		t.Errorf("came %q", got)
	}
}

func TestAFailureInTheMiddleOfAStreamIsAnEvent(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	opened := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	s := <-opened
	s.next()
	w.end(t, id, func(r *events.Result) {
		r.Status, r.Error = events.StatusFailed, &events.ResultError{Code: events.CodeAttemptsSpent, Message: "Each attempt failed."}
	})
	got := s.rest()
	want := `{"error":{"message":"Each attempt failed.","type":"server_error","param":null,"code":"attempts_spent"}}`
	if len(got) != 1 || got[0] != want {
		t.Errorf("came %q", got)
	}
}

func TestADrainEndsAStreamWithAnEvent(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	opened := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	s := <-opened
	s.next()
	w.drain()
	if got := s.rest(); len(got) != 1 || !strings.Contains(got[0], "server_shutting_down") {
		t.Errorf("came %q", got)
	}
}

// TestAModelThatBreaksInTheMiddle has a first attempt cut in the middle of its stream, over the whole chain.
func TestAModelThatBreaksInTheMiddle(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	cut := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(rw, "data: {\"choices\":%s}\n\ndata: {\"choices\":%s}\n\n", role, delta("never heard of"))
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}
	w.models <- cut
	c := w.client()
	s := c.Chat.Completions.NewStreaming(t.Context(), hello("gpt-4o"))
	defer s.Close()
	acc := client.ChatCompletionAccumulator{}
	for s.Next() {
		acc.AddChunk(s.Current())
	}
	heard := acc.Choices[0].Message.Content
	if s.Err() == nil || !strings.Contains(s.Err().Error(), "stream_interrupted") || heard != "never heard of" {
		t.Errorf("heard %q, %v", heard, s.Err())
	}
}

func TestAnAnswerThatWasKeptIsStreamedToo(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	c := w.client()
	whole, err := c.Chat.Completions.New(t.Context(), hello("kept"))
	must(t, err)
	acc := client.ChatCompletionAccumulator{}
	s := c.Chat.Completions.NewStreaming(t.Context(), hello("kept"))
	for s.Next() {
		acc.AddChunk(s.Current())
	}
	must(t, s.Err())
	if got, want := acc.Choices[0].Message.Content, whole.Choices[0].Message.Content; got != want || want == "" {
		t.Errorf("streamed %q, whole %q", got, want)
	}
}

func TestABackgroundStreamIsTakenUpWhereItWasLeft(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	c := w.client(option.WithHeader("Idempotency-Key", "k"))
	ctx, leave := context.WithCancel(t.Context())
	s := c.Responses.NewStreaming(ctx, responses.ResponseNewParams{
		Model: "gpt-4o", Background: param.NewOpt(true), Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("x")},
	})
	var last int64
	var id, heard string
	take := func(e responses.ResponseStreamEventUnion) {
		if last = e.SequenceNumber; e.Type == "response.created" {
			id = e.Response.ID
		}
		if e.Type == "response.output_text.delta" {
			heard += e.Delta
		}
	}
	messageID := w.accepted(t, "k")
	for n, p := range []string{role, delta("one"), delta(" two"), delta(" three")} {
		w.say(messageID, 1, n, p)
	}
	for heard != "one two" && s.Next() {
		take(s.Current())
	}
	leave() // the connection is lost
	s.Close()
	again := w.client()
	resumed := again.Responses.GetStreaming(t.Context(), id, responses.ResponseGetParams{StartingAfter: param.NewOpt(last)})
	w.end(t, messageID, says("one two three four"))
	status := ""
	for resumed.Next() {
		e := resumed.Current()
		if e.SequenceNumber != last+1 {
			t.Errorf("%s is number %d after %d", e.Type, e.SequenceNumber, last)
		}
		take(e)
		if e.Type == "response.completed" {
			status = string(e.Response.Status) + ": " + e.Response.OutputText()
		}
	}
	must(t, resumed.Err())
	if heard != "one two three four" || status != "completed: one two three four" {
		t.Errorf("heard %q, %s", heard, status)
	}
}

func TestAStreamThatHasBegunIsKeptAwake(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	cat := parse(t, w.bare)
	server := ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: w.bus, Results: w.store, Tokens: w.relay,
	})
	openai.MountAwake(server, time.Millisecond)
	front := httptest.NewServer(server)
	t.Cleanup(front.Close)
	w.url = front.URL
	opened := w.open(t, http.MethodPost, chatPath, streamedHello, "k")
	id := w.accepted(t, "k")
	w.say(id, 1, 0, role)
	s := <-opened
	s.next()
	awake := false
	for !awake && s.Scan() {
		awake = s.Text() == ": keep-alive"
	}
	w.end(t, id, says("one"))
	if got := s.rest(); len(got) != 3 || got[2] != "[DONE]" {
		t.Errorf("came %q", got)
	}
}
