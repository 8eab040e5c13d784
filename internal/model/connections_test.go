package model_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// authorizer is credentials that only set headers.
type authorizer func(req *http.Request, sum func() (string, error)) error

func (a authorizer) Authorize(_ context.Context, _ *catalog.Target, req *http.Request, sum func() (string, error)) ([]string, error) {
	return []string{"hunter2"}, a(req, sum)
}

func (authorizer) TLS(*catalog.Target) (*tls.Config, error) {
	return nil, nil //nolint:nilnil // the system's settings
}

func (authorizer) Refused(*catalog.Target, []string) {}

// tokens are credentials of which each is used until it is refused.
type tokens struct {
	authorizer
	refused []string
}

func (k *tokens) Refused(t *catalog.Target, secrets []string) {
	k.refused = append(append(k.refused, t.Name), secrets...)
}

// rotating is credentials whose settings a test changes.
type rotating struct {
	authorizer
	settings atomic.Pointer[tls.Config]
	err      error
}

func (r *rotating) TLS(*catalog.Target) (*tls.Config, error) { return r.settings.Load(), r.err }

// certificate returns a client's certificate of that number.
func certificate(t *testing.T, number int64) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func none(*http.Request, func() (string, error)) error { return nil }

func TestOpenAIConnectsByTheSettingsOfTheTarget(t *testing.T) {
	t.Parallel()
	_, call := setup(t, hang)
	var mu sync.Mutex
	shown := map[int64]map[string]bool{} // the connections by the certificate that they came with
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		number := r.TLS.PeerCertificates[0].SerialNumber.Int64()
		if shown[number] == nil {
			shown[number] = map[string]bool{}
		}
		shown[number][r.RemoteAddr] = true
		_, _ = io.WriteString(w, completion)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	call.Target.URL = srv.URL
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	with := func(certificates ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: roots, Certificates: certificates, MinVersion: tls.VersionTLS12}
	}
	credentials := &rotating{authorizer: none}
	client := model.NewOpenAI(model.OpenAIConfig{Credentials: credentials})
	t.Cleanup(client.Close)

	for _, number := range []int64{1, 2} {
		credentials.settings.Store(with(certificate(t, number)))
		for range 3 {
			if _, err := client.Call(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(shown[number]); n != 1 {
			t.Errorf("%d connections show certificate %d, want 1 that is used again", n, number)
		}
	}

	credentials.settings.Store(with())
	_, err := client.Call(t.Context(), call)
	e := wantCode(t, err, events.CodeUnauthorized)
	if want := "remote error: tls: certificate required"; !strings.HasSuffix(want, errors.Unwrap(e).Error()) {
		t.Errorf("got %v", e)
	}
	credentials.settings.Store(nil)
	_, err = client.Call(t.Context(), call)
	wantCode(t, err, events.CodeUnreachable) // the system's authorities do not know this server
}

func TestOpenAIShowsWhatTheCredentialsSay(t *testing.T) {
	t.Parallel()
	serve := func(t *testing.T, credentials model.Credentials, h http.HandlerFunc) (model.Call, error) {
		t.Helper()
		_, call := setup(t, h)
		client := model.NewOpenAI(model.OpenAIConfig{Credentials: credentials})
		defer client.Close()
		call.Target.Headers = map[string]string{
			"user-agent": "ours", "openai-organization": "org", "content-type": "text/plain",
			"x-idempotency-key": "same", "idempotency-key": "same",
		}
		_, err := client.Call(t.Context(), call)
		return call, err
	}
	nobody := func(http.ResponseWriter, *http.Request) { t.Error("the server was called") }

	t.Run("and the headers of the target, but for what the protocol needs", func(t *testing.T) {
		t.Parallel()
		_, err := serve(t, authorizer(func(req *http.Request, _ func() (string, error)) error {
			req.Header.Set("Api-Key", "k of "+req.Header.Get("Openai-Organization"))
			return nil
		}), func(w http.ResponseWriter, r *http.Request) {
			for name, want := range map[string]string{
				"User-Agent": "ours", "Openai-Organization": "org", "Content-Type": "application/json", "Api-Key": "k of org",
				"Idempotency-Key": "id-scheduled-1", "X-Idempotency-Key": "", "Authorization": "",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			_, _ = io.WriteString(w, completion)
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("and no caller their secrets", func(t *testing.T) {
		t.Parallel()
		_, err := serve(t, authorizer(none), func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"message":"wrong: hunter2"}}`)
		})
		if e := wantCode(t, err, events.CodeInvalidRequest); strings.Contains(e.Message, "hunter2") {
			t.Errorf("told %q", e.Message)
		}
	})
	t.Run("and tells them when they are refused", func(t *testing.T) {
		t.Parallel()
		for status, want := range map[int]string{401: "main hunter2", 403: "", 400: ""} {
			k := &tokens{authorizer: none}
			if _, err := serve(t, k, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }); err == nil {
				t.Errorf("status %d is an answer", status)
			}
			if got := strings.Join(k.refused, " "); got != want {
				t.Errorf("status %d: told of %q, want %q", status, got, want)
			}
		}
	})
	t.Run("and calls nobody without them", func(t *testing.T) {
		t.Parallel()
		fails := func(err error) authorizer { return func(*http.Request, func() (string, error)) error { return err } }
		_, err := serve(t, fails(errors.New("no such file")), nobody)
		wantCode(t, err, events.CodeUnauthorized)
		_, err = serve(t, fails(model.NewError(events.CodeUnreachable, errors.New("the token server is away"))), nobody)
		wantCode(t, err, events.CodeUnreachable)
		_, err = serve(t, &rotating{authorizer: none, err: errors.New("no such file")}, nobody)
		wantCode(t, err, events.CodeUnauthorized)
	})
	t.Run("and waits for them no longer than the call may take", func(t *testing.T) {
		t.Parallel()
		_, call := setup(t, nobody)
		call.Target.Timeout = 20 * time.Millisecond
		client := model.NewOpenAI(model.OpenAIConfig{Credentials: authorizer(func(req *http.Request, _ func() (string, error)) error {
			<-req.Context().Done()
			return req.Context().Err()
		})})
		_, err := client.Call(t.Context(), call)
		wantCode(t, err, events.CodeTimeout)
	})
	t.Run("and calls nobody by a key alone that is to be shown in another way", func(t *testing.T) {
		t.Parallel()
		for _, target := range []catalog.Target{
			{Auth: catalog.Auth{Header: "api-key"}, Key: "env:K"}, {TLS: catalog.TLS{CA: "file:ca"}},
		} {
			client, call := setup(t, nobody)
			call.Target.Auth, call.Target.TLS, call.Target.Key = target.Auth, target.TLS, target.Key
			_, err := client.Call(t.Context(), call)
			wantCode(t, err, events.CodeUnauthorized)
		}
	})
}
