package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestSendPrintsTheAnswerAsItIsMade(t *testing.T) {
	t.Parallel()
	url, key, _, _ := upAndRunning(t)
	status, out, err := baton(t, "send", "--url", url, "--key", key, "--model", "llama-3-70b", "--stream", "hello")
	if status != 0 || len(strings.Fields(out)) < 10 || strings.Contains(out, "{") {
		t.Errorf("exit %d: %s", status, out)
	}
	if !regexp.MustCompile(`^[0-9a-f-]{36} completed, \d+ tokens in and \d+ out\n$`).MatchString(err) {
		t.Errorf("said %q", err)
	}
	status, _, err = baton(t, "send", "--url", url, "--key", key, "--model", "no-such-model", "--stream", "hello")
	if status != 1 || !strings.Contains(err, "/model_id") {
		t.Errorf("exit %d: %s", status, err)
	}
	if status, _, _ := baton(t, "send", "--url", url, "--key", key, "--wait", "--stream", "hello"); status != 2 {
		t.Errorf("both at once: exit %d", status)
	}
}

// streaming is a chain whose streams are the given ones, in turn. Those that do not end with a result are cut off.
func streaming(t *testing.T, streams ...string) (url string, asked <-chan string) {
	t.Helper()
	after := make(chan string, len(streams))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"message_id":"m","request_id":"r","status":"queued"}`)
			return
		}
		after <- r.Header.Get("Last-Event-ID")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, streams[0])
		streams = streams[1:]
	}))
	t.Cleanup(s.Close)
	return s.URL, after
}

func delta(n int, text string) string {
	return fmt.Sprintf("event: delta\nid: 1.1.%d\ndata: {\"text\":%q}\n\n", n, text)
}

func ends(result string) string { return "event: result\nid: result\ndata: " + result + "\n\n" }

func TestSendGoesOnWithAStream(t *testing.T) {
	t.Parallel()
	completed := ends(`{"message_id":"m","status":"completed","output":"one two","usage":{"prompt_tokens":3,"completion_tokens":2}}`)
	for name, c := range map[string]struct {
		streams   []string
		out, said string
		asked     []string
		status    int
	}{
		"that was cut off after what it had": {
			streams: []string{"retry: 1\n\n" + delta(0, "one"), delta(1, " two") + completed}, asked: []string{"", "1.1.0"},
			out: "one two\n", said: "m completed, 3 tokens in and 2 out\n",
		},
		"whose pieces are missing, by the result": {
			streams: []string{completed}, asked: []string{""}, out: "one two\n", said: "m completed, 3 tokens in and 2 out\n",
		},
		"whose end is missing, by the result": {
			streams: []string{delta(0, "one") + completed}, asked: []string{""}, out: "one two\n", said: "m completed, 3 tokens in and 2 out\n",
		},
		"whose middle is missing, with the whole": {
			streams: []string{delta(0, "one") + delta(2, "too") + completed}, asked: []string{""}, out: "onetoo\none two\n",
			said: "baton: pieces were lost: what is above is void\nm completed, 3 tokens in and 2 out\n",
		},
		"that begins anew": {
			streams: []string{delta(0, "won") + "event: restart\ndata: {\"attempt\":2}\n\n" + delta(0, "one two") + completed}, asked: []string{""},
			out: "won\none two\n", said: "baton: the model began anew: what is above is void\nm completed, 3 tokens in and 2 out\n",
		},
		"to its failure": {
			streams: []string{delta(0, "one") + ends(`{"message_id":"m","status":"failed","error":{"code":"expired","message":"Too late."}}`)},
			asked:   []string{""}, out: "one\n", said: "m failed, expired: Too late.\n", status: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := streaming(t, c.streams...)
			status, out, err := baton(t, "send", "--url", url, "--key", "k", "--stream", "hello")
			if status != c.status || out != c.out || err != c.said {
				t.Errorf("exit %d: %q, and said %q", status, out, err)
			}
			for _, want := range c.asked {
				if got := <-asked; got != want {
					t.Errorf("asked for what comes after %q, want %q", got, want)
				}
			}
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"message_id":"m"}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	var out, stderr output
	status := run(ctx, []string{"send", "--url", s.URL, "--key", "k", "--stream", "hello"}, strings.NewReader(""), &out, &stderr, func(string) string { return "" })
	if status != 1 || !strings.Contains(stderr.String(), "canceled") {
		t.Errorf("exit %d: %s", status, &stderr)
	}
}
