package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// gatedModel is a model server that says what the test tells it to, when it tells it.
type gatedModel struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	calls map[string]chan *gatedCall // by prompt
}

// gatedCall is a call that is being answered.
type gatedCall struct {
	texts chan string // closed at the end of the answer
}

func newGatedModel(t *testing.T) *gatedModel {
	t.Helper()
	g := &gatedModel{t: t, calls: map[string]chan *gatedCall{}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.answer))
	t.Cleanup(func() {
		g.CloseClientConnections() // who called may be dead
		g.Close()
	})
	return g
}

func (g *gatedModel) answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.Messages) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c := &gatedCall{make(chan string)}
	select {
	case g.of(asked.Messages[0].Content) <- c:
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		select {
		case text, more := <-c.texts:
			if !more {
				say(w, "{}", `"stop"`)
				_, _ = io.WriteString(w, "data: [DONE]\n\n")
				return
			}
			say(w, fmt.Sprintf(`{"role":"assistant","content":%q}`, text), "null")
		case <-r.Context().Done():
			return
		}
	}
}

func (g *gatedModel) of(prompt string) chan *gatedCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls[prompt] == nil {
		g.calls[prompt] = make(chan *gatedCall)
	}
	return g.calls[prompt]
}

// call waits for the next call with the prompt.
func (g *gatedModel) call(ctx context.Context, prompt string) *gatedCall {
	g.t.Helper()
	select {
	case c := <-g.of(prompt):
		return c
	case <-ctx.Done():
		g.t.Fatalf("nobody asks the model %q", prompt)
		return nil
	}
}

// say says more of the answer.
func (c *gatedCall) say(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	select {
	case c.texts <- text:
	case <-ctx.Done():
		t.Fatalf("nobody hears %q", text)
	}
}

// told is a server-sent event.
type told struct{ name, id, data string }

func (e told) String() string { return strings.TrimSpace(e.name + " " + e.id + " " + e.data) }

// listener reads a stream of server-sent events.
type listener struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

// listen opens the stream that the request is answered with.
func listen(ctx context.Context, t *testing.T, method, url, key, body string, header ...string) *listener {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("answered %d %s", resp.StatusCode, text)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return &listener{t, resp, lines}
}

// next returns the next event, and false at the end, however that comes.
func (l *listener) next() (e told, ok bool) {
	for l.lines.Scan() {
		field, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data += value
		case "":
			if e.data != "" {
				return e, true
			}
		}
	}
	return told{}, false
}

// until returns the next event of the name; others may come before it.
func (l *listener) until(name string) told {
	l.t.Helper()
	for {
		e, ok := l.next()
		if !ok {
			l.t.Fatalf("the stream ends before %q: %v", name, l.lines.Err())
		}
		if e.name == name {
			return e
		}
	}
}

// rest returns the events to the end.
func (l *listener) rest() (all []told) {
	for e, ok := l.next(); ok; e, ok = l.next() {
		all = append(all, e)
	}
	return all
}
