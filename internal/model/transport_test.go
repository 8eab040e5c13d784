package model

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"baton.dev/baton/internal/catalog"
)

func TestTransportSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("got %s", r.Proto)
		}
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"yes"}}]}`)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	o := NewOpenAI(OpenAIConfig{})
	defer o.Close()
	trusting := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	o.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trusting, MinVersion: tls.VersionTLS12}
	a, err := o.Call(t.Context(), Call{Target: &catalog.Target{Name: "main", URL: srv.URL}})
	if err != nil || a.Output != "yes" {
		t.Errorf("got %+v, %v", a, err)
	}
}
