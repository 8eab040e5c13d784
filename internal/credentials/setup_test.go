package credentials_test

import (
	"bytes"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
	"baton.dev/baton/internal/model"
)

// vault is secrets that change, a clock that is set, and a log that is read.
type vault struct {
	mu     sync.Mutex
	values map[catalog.Secret]string
	now    time.Time
	log    bytes.Buffer
}

func newVault(values map[catalog.Secret]string) *vault {
	return &vault{values: values, now: time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)}
}

func (v *vault) resolve(s catalog.Secret) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if value, ok := v.values[s]; ok {
		return value, nil
	}
	return "", errors.New("resolve secret " + string(s) + ": it is not there")
}

func (v *vault) set(s catalog.Secret, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.values[s] = value
}

func (v *vault) clock() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

func (v *vault) pass(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(d)
}

func (v *vault) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log.Write(b)
}

func (v *vault) logged() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.log.String()
}

func (v *vault) open(t *testing.T) *credentials.Credentials {
	t.Helper()
	c := credentials.New(credentials.Config{Key: v.resolve, Now: v.clock, Log: slog.New(slog.NewTextHandler(v, nil))})
	t.Cleanup(c.Close)
	return c
}

// serve starts a real server over HTTP.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// authorization returns what a call of the target is authorized with, and the error.
func authorization(t *testing.T, c *credentials.Credentials, target *catalog.Target) (string, error) {
	t.Helper()
	req := request(t, http.MethodPost, "http://model.example.com/v1")
	secrets, err := c.Authorize(t.Context(), target, req, nil)
	value := req.Header.Get("Authorization")
	if err == nil && value != "" {
		for _, s := range secrets {
			if s == "" || !strings.Contains(value, s) {
				t.Errorf("the secrets are %q, the header is %q", secrets, value)
			}
		}
	}
	return value, err
}

// want fails the test unless the call is authorized with the value.
func want(t *testing.T, c *credentials.Credentials, target *catalog.Target, value string) {
	t.Helper()
	if got, err := authorization(t, c, target); got != value || err != nil {
		t.Errorf("the call is authorized with %q, %v: want %q", got, err, value)
	}
}

// unreachable reports whether clients take an error for a target that is away, and not for one that refuses them.
func unreachable(err error) bool {
	e, ok := errors.AsType[*model.Error](err)
	return ok && e.Code == events.CodeUnreachable
}

// secretive fails the test if a text shows what none may.
func secretive(t *testing.T, text string) {
	t.Helper()
	for _, never := range []string{"hunter2", "://", "token?"} {
		if strings.Contains(text, never) {
			t.Errorf("%q shows %q", text, never)
		}
	}
}
