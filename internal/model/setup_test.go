package model_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

const completion = `{"choices":[{"message":{"role":"assistant","content":"yes"},"finish_reason":"stop"}]}`

// setup starts a model server and returns a client and a call of it. The target's timeout is far beyond the test's.
func setup(t *testing.T, h http.HandlerFunc) (*model.OpenAI, model.Call) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	client := model.NewOpenAI(model.OpenAIConfig{
		Key:       func(s catalog.Secret) (string, error) { return "key of " + string(s), nil },
		MaxAnswer: 64 << 10,
	})
	t.Cleanup(client.Close)
	prompt := "hello"
	return client, model.Call{
		Target:  &catalog.Target{Name: "main", API: "openai", URL: srv.URL + "/v1", Model: "real", Timeout: time.Hour},
		Request: events.Request{ModelID: "m", Prompt: &prompt},
		ID:      "id-scheduled-1",
	}
}

// hang reads the request and does not answer until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// hijack answers with raw bytes and cuts the connection.
func hijack(w http.ResponseWriter, raw string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, raw)
	_ = conn.Close()
}

func wantCode(t *testing.T, err error, code string) *model.Error {
	t.Helper()
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		t.Fatalf("got error %v, want a *model.Error of code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got %v, want code %s", e, code)
	}
	if e.Target != "main" || e.Message == "" {
		t.Errorf("target %q, message %q", e.Target, e.Message)
	}
	return e
}

// endless answers without end, until the client closes the connection.
func endless(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for {
		if _, err := io.WriteString(w, strings.Repeat(" ", 4<<10)); err != nil {
			return
		}
	}
}

// bomb answers with some 16 KiB that unpack to 16 MiB.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	for range 1 << 10 {
		_, _ = io.WriteString(z, strings.Repeat(" ", 16<<10))
	}
	_ = z.Close()
}

// proxy returns the proxy at an address, for all requests.
func proxy(address string) func(*http.Request) (*url.URL, error) {
	u, err := url.Parse(address)
	return func(*http.Request) (*url.URL, error) { return u, err }
}

// asJSON returns a text as JSON.
func asJSON(s string) string {
	b, _ := json.Marshal(s) //nolint:errchkjson // a text can always be encoded
	return string(b)
}
