package model_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

func TestOpenAIFails(t *testing.T) {
	t.Parallel()
	write := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		code  string
	}{
		"a redirect is not followed": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/chat/completions" {
				t.Errorf("followed to %s", r.URL.Path)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, events.CodeUnavailable},
		"no content is unusable":        {write(http.StatusNoContent, ""), events.CodeUnusableOutput},
		"a page is unusable":            {write(http.StatusOK, "<html>"), events.CodeUnusableOutput},
		"a truncated JSON is unusable":  {write(http.StatusOK, completion[:40]), events.CodeUnusableOutput},
		"a body over the limit":         {write(http.StatusOK, strings.Repeat(" ", 64<<10+1)), events.CodeOutputTooLarge},
		"an endless body":               {endless, events.CodeOutputTooLarge},
		"a small body that unpacks big": {bomb, events.CodeOutputTooLarge},
		"a body that only claims to be compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, completion)
		}, events.CodeUnusableOutput},
		"a refusal without end counts by its status": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			endless(w, r)
		}, events.CodeUnauthorized},
		"a connection cut before the answer": {func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, events.CodeUnreachable},
		"a connection cut within the headers": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Le")
		}, events.CodeUnreachable},
		"a connection cut within a body of known length": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"+completion)
		}, events.CodeUnreachable},
		"a connection cut within a chunked body": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n"+completion)
		}, events.CodeUnreachable},
		"a body cut without a known length is no JSON": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\n\r\n"+completion[:40])
		}, events.CodeUnusableOutput},
		"what is no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "SSH-2.0-OpenSSH_9.6\r\n")
		}, events.CodeUnreachable},
		"headers without end": {func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n")
		}, events.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, call := setup(t, tc.serve)
			_, err := client.Call(t.Context(), call)
			wantCode(t, err, tc.code)
		})
	}

	t.Run("every status from 300 has a code, and no answer", func(t *testing.T) {
		t.Parallel()
		var status atomic.Int64
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) { write(int(status.Load()), completion)(w, r) })
		for s := 300; s < 600; s++ {
			status.Store(int64(s))
			_, err := client.Call(t.Context(), call)
			e, ok := errors.AsType[*model.Error](err)
			if !ok || e.Status != s {
				t.Fatalf("status %d: got %v", s, err)
			}
		}
	})
	t.Run("a port where nobody listens", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		call.Target.URL = "http://" + ln.Addr().String()
		_ = ln.Close()
		_, err = client.Call(t.Context(), call)
		if e := wantCode(t, err, events.CodeUnreachable); !strings.HasSuffix(e.Error(), "connection refused") {
			t.Errorf("got %q", e)
		}
	})
	t.Run("a certificate that nobody trusts", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		defer srv.Close()
		call.Target.URL = srv.URL
		_, err := client.Call(t.Context(), call)
		if e := wantCode(t, err, events.CodeUnreachable); !strings.HasSuffix(e.Error(), "certificate is not trusted") {
			t.Errorf("got %q", e)
		}
	})
	t.Run("a server that does not speak TLS", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		greets, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := greets.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, "220 mail.example.com at your service\r\n")
				_, _ = conn.Read(make([]byte, 1024)) // a client that is told while it sends may see a reset
				_ = conn.Close()
			}
		}()
		t.Cleanup(func() { _ = greets.Close() })
		for _, address := range []string{strings.TrimPrefix(call.Target.URL, "http://"), greets.Addr().String()} {
			call.Target.URL = "https://" + address
			_, err := client.Call(t.Context(), call)
			if e := wantCode(t, err, events.CodeUnreachable); !strings.HasSuffix(e.Error(), "the server does not speak TLS") {
				t.Errorf("got %q", e)
			}
		}
	})
	t.Run("a URL that is none", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		for _, u := range []string{"http://h:port/secret", "", "::", "ftp://h/x"} {
			call.Target.URL = u
			_, err := client.Call(t.Context(), call)
			if e := wantCode(t, err, events.CodeUnreachable); strings.Contains(e.Error(), "secret") {
				t.Errorf("%q shows the URL", e)
			}
		}
	})
	t.Run("a credential that does not resolve, or cannot be sent", func(t *testing.T) {
		t.Parallel()
		_, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		call.Target.Key = "env:K"
		for _, key := range []func(catalog.Secret) (string, error){
			nil,
			func(catalog.Secret) (string, error) { return "", errors.New("env:K is not set") },
			func(catalog.Secret) (string, error) { return "", nil },
			func(catalog.Secret) (string, error) { return "two\nlines", nil },
		} {
			client := model.NewOpenAI(model.OpenAIConfig{Key: key})
			_, err := client.Call(t.Context(), call)
			wantCode(t, err, events.CodeUnauthorized)
		}
	})
}

func TestOpenAIErrors(t *testing.T) {
	t.Parallel()
	refuse := func(t *testing.T, status int, header http.Header, message string) *model.Error {
		t.Helper()
		client, call := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message}})
		})
		call.Target.Key = "env:K"
		_, err := client.Call(t.Context(), call)
		e, ok := errors.AsType[*model.Error](err)
		if !ok {
			t.Fatalf("got %v", err)
		}
		return e
	}
	t.Run("the model's words reach a caller whose fault it is, and no log", func(t *testing.T) {
		t.Parallel()
		e := refuse(t, 400, nil, "'top_p' is\nwrong")
		if e.Message != "'top_p' is wrong" || strings.Contains(fmt.Sprintf("%v %+v", e, e), "top_p") {
			t.Errorf("message %q, error %q", e.Message, e)
		}
	})
	t.Run("the model's words with the credential in them reach nobody", func(t *testing.T) {
		t.Parallel()
		if e := refuse(t, 400, nil, "wrong key: key of env:K"); strings.Contains(e.Message, "key of") {
			t.Errorf("message %q", e.Message)
		}
	})
	t.Run("the model's words reach nobody where it is not the caller's fault", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{302, 401, 402, 403, 404, 408, 409, 429, 500, 503, 529} {
			if e := refuse(t, status, nil, "words"); strings.Contains(e.Message, "words") {
				t.Errorf("status %d: message %q", status, e.Message)
			}
		}
	})
	t.Run("a time to try again is taken from those that can name one", func(t *testing.T) {
		t.Parallel()
		for status, want := range map[int]bool{429: true, 503: true, 402: true, 400: false, 401: false} {
			e := refuse(t, status, http.Header{"Retry-After": {"3600"}}, "")
			if got := time.Until(e.RetryAt) > time.Minute; got != want {
				t.Errorf("status %d: retry at %v", status, e.RetryAt)
			}
		}
	})
}
