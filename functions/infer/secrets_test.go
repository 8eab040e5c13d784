package infer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

// What must not be seen anywhere: in no error, no log, and no event but the request's own data.
const (
	secretPrompt   = "my-medical-history"
	secretKey      = "sk-the-key" // what setup resolves
	secretPassword = "url-password"
	secretQuery    = "query-secret"
	secretBody     = "receiver-internals"
)

// TestSecretsStayInside drives every kind of failure through the function, against servers that repeat all they were given.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	// echo is all that a server can know, and something of its own.
	echo := func(r *http.Request) string {
		b, _ := io.ReadAll(r.Body)
		return secretBody + " " + string(b) + " " + r.Header.Get("Authorization") + " " + r.URL.String() + " " + secretPassword
	}
	hijack := func(w http.ResponseWriter, raw string) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, raw)
			_ = conn.Close()
		}
	}
	servers := map[string]http.HandlerFunc{
		"answers nothing usable": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, echo(r)) },
		"answers a broken JSON":  func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, `{"choices":%q`, echo(r)) },
		"answers odd types":      func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, `{"choices":%q}`, echo(r)) },
		"answers an empty message": func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"x":%q,"choices":[{}]}`, echo(r))
		},
		"redirects": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/?"+secretBody+secretQuery)
			w.WriteHeader(http.StatusFound)
		},
		"redirects nowhere": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "::"+secretBody)
			w.WriteHeader(http.StatusFound)
		},
		"speaks no HTTP":           func(w http.ResponseWriter, r *http.Request) { hijack(w, echo(r)+"\r\n\r\n") },
		"sends a malformed status": func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 "+secretBody+"\r\n\r\n") },
		"sends a malformed header": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\n"+secretBody+"\r\n\r\n")
		},
		"sends a malformed length": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: "+secretBody+"\r\n\r\n")
		},
		"sends a malformed chunk": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+secretBody+"\r\n")
		},
		"sends a strange encoding": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "+secretBody+"\r\n\r\n")
		},
		"cuts the body": func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"+echo(r))
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	}
	for _, status := range []int{300, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529} {
		servers[fmt.Sprintf("refuses with %d", status)] = func(w http.ResponseWriter, r *http.Request) {
			all := echo(r)
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"message":%q,"type":%q,"code":%q}}`, all, all, all)
		}
	}

	for name, server := range servers {
		t.Run("a server that "+name, func(t *testing.T) {
			t.Parallel()
			c := setup(t, server)
			c.target.Timeout = time.Minute
			if name == "hangs" {
				c.target.Timeout = 10 * time.Millisecond
			}
			c.target.URL = strings.Replace(c.target.URL, "http://", "http://user:"+secretPassword+"@", 1) + "?token=" + secretQuery
			c.target.Key = "env:KEY"
			in := scheduled(t, `{"model_id":"gpt","prompt":"`+secretPrompt+`"}`, 1)
			out := c.one(t, in, events.AttemptFailed)
			out.Data = nil // the request itself goes on
			clean(t, "the event", fmt.Sprintf("%+v", out))
			clean(t, "the log", c.log.String())
			if !strings.Contains(c.log.String(), "attempt failed") {
				t.Error("nothing was logged")
			}
		})
	}
	t.Run("a URL that cannot be used", func(t *testing.T) {
		t.Parallel()
		for _, u := range []string{
			"http://user:" + secretPassword + "@h:port/?" + secretQuery, "gopher://user:" + secretPassword + "@h/?" + secretQuery,
			"http://user:" + secretPassword + "@127.0.0.1:1/?" + secretQuery, "http://user:" + secretPassword + "@no-such.invalid/?" + secretQuery,
		} {
			c := setup(t, never(t))
			c.target.URL = u
			out := c.one(t, scheduled(t, body, 1), events.AttemptFailed)
			clean(t, "the event", fmt.Sprintf("%+v", out))
			clean(t, "the log", c.log.String())
		}
	})
	t.Run("a shutdown during the call", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := setup(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		}))
		c.target.URL += "?token=" + secretQuery
		_, err := c.function()(ctx, scheduled(t, `{"model_id":"gpt","prompt":"`+secretPrompt+`"}`, 1))
		if err == nil {
			t.Fatal("no error")
		}
		clean(t, "the error", fmt.Sprintf("%v %+v", err, err))
	})
	t.Run("data that does not decode", func(t *testing.T) {
		t.Parallel()
		for _, data := range []string{
			secretPrompt, `{"prompt":{"` + secretPrompt + `":1}}`, `{"prompt":"` + secretPrompt + `",}`,
			`{"deadline_seconds":"` + secretPrompt + `"}`, `{"metadata":["` + secretPrompt + `"]}`,
		} {
			c := setup(t, never(t))
			_, err := c.function()(t.Context(), scheduled(t, data, 1))
			if err == nil {
				t.Fatal("no error")
			}
			clean(t, "the error", fmt.Sprintf("%v %+v", err, err))
		}
	})
}

// clean fails the test if one of the secrets is in s.
func clean(t *testing.T, what, s string) {
	t.Helper()
	for _, secret := range []string{secretPrompt, secretKey, secretPassword, secretQuery, secretBody} {
		if strings.Contains(s, secret) {
			t.Errorf("%s holds %q: %s", what, secret, s)
		}
	}
}
