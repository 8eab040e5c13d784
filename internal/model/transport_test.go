package model

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

func TestTransportSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T, h http.HandlerFunc) (*OpenAI, *catalog.Target) {
		t.Helper()
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("got %s", r.Proto)
			}
			h(w, r)
		}))
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		o := NewOpenAI(OpenAIConfig{Credentials: settings{&tls.Config{
			RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12,
		}}})
		t.Cleanup(o.Close)
		return o, &catalog.Target{Name: "main", URL: srv.URL, Timeout: time.Minute}
	}
	t.Run("where the server does", func(t *testing.T) {
		t.Parallel()
		o, target := setup(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"yes"}}]}`)
		})
		a, err := o.Call(t.Context(), Call{Target: target})
		if err != nil || a.Output != "yes" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
	t.Run("and knows there too whether anything was sent", func(t *testing.T) {
		t.Parallel()
		o, target := setup(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler) // the stream is cut
		})
		_, err := o.Call(t.Context(), Call{Target: target})
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != events.CodeUnreachable || !e.Sent {
			t.Errorf("got %+v", err)
		}
	})
}

func TestACertificateForAnotherNameIsSaidToBeThat(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS() // its certificate is for example.com and 127.0.0.1
	t.Cleanup(srv.Close)
	o := NewOpenAI(OpenAIConfig{Credentials: settings{&tls.Config{
		RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12,
	}}})
	t.Cleanup(o.Close)
	url := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	_, err := o.Call(t.Context(), Call{Target: &catalog.Target{Name: "main", URL: url, Timeout: time.Minute}})
	if e, ok := errors.AsType[*Error](err); !ok || !strings.HasSuffix(e.Error(), "the server's certificate is for another name") {
		t.Errorf("got %v", err)
	}
}

// settings are credentials of TLS alone.
type settings struct{ tls *tls.Config }

func (settings) Authorize(context.Context, *catalog.Target, *http.Request, func() (string, error)) ([]string, error) {
	return nil, nil
}

func (s settings) TLS(*catalog.Target) (*tls.Config, error) { return s.tls, nil }

func (settings) Refused(*catalog.Target, []string) {}
