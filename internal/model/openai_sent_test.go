package model_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// Whether an attempt is charged to its tenant hangs on this.
func TestOpenAISaysWhetherAnythingWasSent(t *testing.T) {
	t.Parallel()
	fail := func(t *testing.T, client *model.OpenAI, call model.Call, code string, want bool) {
		t.Helper()
		_, err := client.Call(t.Context(), call)
		if e := wantCode(t, err, code); e.Sent != want {
			t.Errorf("sent is %t after %v", e.Sent, e)
		}
	}
	t.Run("nothing, where nobody listens", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		ln := listen(t)
		_ = ln.Close()
		call.Target.URL = "http://" + ln.Addr().String()
		fail(t, client, call, events.CodeUnreachable, false)
	})
	t.Run("nothing, where the certificate is not trusted", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		defer srv.Close()
		call.Target.URL = srv.URL
		fail(t, client, call, events.CodeUnreachable, false)
	})
	t.Run("nothing, where the handshake does not end in time", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		ln := listen(t) // the kernel takes connections, and nobody says a word
		defer func() { _ = ln.Close() }()
		call.Target.URL, call.Target.Timeout = "https://"+ln.Addr().String(), 20*time.Millisecond
		fail(t, client, call, events.CodeTimeout, false)
	})
	t.Run("nothing, where the proxy makes no tunnel", func(t *testing.T) {
		t.Parallel()
		_, call := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		client := model.NewOpenAI(model.OpenAIConfig{Proxy: proxy(call.Target.URL)})
		defer client.Close()
		call.Target.URL = "https://model.invalid/v1"
		fail(t, client, call, events.CodeUnreachable, false)
	})
	t.Run("nothing, without a URL or time left", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		call.Expiry = time.Now().Add(-time.Second)
		fail(t, client, call, events.CodeDeadline, false)
		call.Expiry, call.Target.URL = time.Time{}, "::"
		fail(t, client, call, events.CodeUnreachable, false)
	})
	t.Run("nothing, without a key that can be read", func(t *testing.T) {
		t.Parallel()
		_, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		call.Target.Key = "file:/none"
		for _, key := range []func(catalog.Secret) (string, error){
			nil,
			func(catalog.Secret) (string, error) { return "", errors.New("no such file") },
			func(catalog.Secret) (string, error) { return "two\nlines", nil },
		} {
			fail(t, model.NewOpenAI(model.OpenAIConfig{Key: key}), call, events.CodeUnauthorized, false)
		}
	})
	t.Run("something, where the connection is cut after the request", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			hijack(w, "")
		})
		fail(t, client, call, events.CodeUnreachable, true)
	})
	t.Run("something, where the connection is cut within the answer", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+completion)
		})
		fail(t, client, call, events.CodeUnreachable, true)
	})
	t.Run("something, where no answer comes in time", func(t *testing.T) {
		t.Parallel()
		var arrived atomic.Bool
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			arrived.Store(true)
			hang(w, r)
		})
		for call.Target.Timeout = 20 * time.Millisecond; ; call.Target.Timeout *= 2 {
			_, err := client.Call(t.Context(), call)
			if e := wantCode(t, err, events.CodeTimeout); !arrived.Load() {
				continue // there was not even time to send it
			} else if !e.Sent {
				t.Error("nothing was sent, it says")
			}
			return
		}
	})
	t.Run("something, where there is an answer that is none", func(t *testing.T) {
		t.Parallel()
		for status, code := range map[int]string{
			200: events.CodeUnusableOutput, 400: events.CodeInvalidRequest, 503: events.CodeUnavailable,
		} {
			client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			fail(t, client, call, code, true)
		}
	})
}

func TestOpenAIKeepsWhatAnUnusableAnswerCost(t *testing.T) {
	t.Parallel()
	client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":""}}],
			"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`)
	})
	_, err := client.Call(t.Context(), call)
	e := wantCode(t, err, events.CodeUnusableOutput)
	if want := (events.Usage{PromptTokens: 3, CompletionTokens: 2, TotalTokens: 5}); e.Usage == nil || e.Usage.TotalTokens != want.TotalTokens || e.Usage.PromptTokens != want.PromptTokens {
		t.Errorf("usage %+v, want %+v", e.Usage, want)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}
