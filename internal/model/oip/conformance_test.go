package oip

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/modeltest"
)

// token are credentials of one token.
type token string

func (c token) Metadata(context.Context, *catalog.Target) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(c)}, nil
}

func (token) TLS(*catalog.Target) (*tls.Config, error) { return nil, nil } //nolint:nilnil // the default

func (token) Refused(*catalog.Target, []string) {}

func newTestGRPC(t *testing.T, credential string) model.Client {
	c := NewGRPC(GRPCConfig{Credentials: token(credential), MaxAnswer: modeltest.MaxAnswer})
	t.Cleanup(c.Close)
	return c
}

func newTestHTTP(t *testing.T, credential string) model.Client {
	key := func(catalog.Secret) (string, error) { return credential, nil }
	c := NewHTTP(HTTPConfig{Credentials: model.KeyCredentials(key), MaxAnswer: modeltest.MaxAnswer})
	t.Cleanup(c.Close)
	return c
}

// play is what a kind's server asks what to do.
type play = func(context.Context, modeltest.Seen) modeltest.Script

func grpcKind(preset string, serve func(*testing.T, play) string) modeltest.Kind {
	return modeltest.Kind{
		Target: catalog.Target{API: catalog.OIPGRPC, OIP: catalog.OIP{Preset: preset}},
		URL:    func(address string) string { return "grpc://" + address },
		Serve:  serve, Client: newTestGRPC, Refusals: grpcRefusals(), Pieces: true, Usage: true,
	}
}

func httpKind(preset string, serve func(*testing.T, play) string) modeltest.Kind {
	return modeltest.Kind{
		Target: catalog.Target{API: catalog.OIPHTTP, OIP: catalog.OIP{Preset: preset}},
		URL:    func(address string) string { return "http://" + address },
		Serve:  serve, Client: newTestHTTP, Refusals: httpRefusals(),
	}
}

func grpcRefusals() []modeltest.Refusal {
	var all []modeltest.Refusal
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		c := classes[code].code
		all = append(all, modeltest.Refusal{
			Name: code.String(), Do: code, Code: c, Retry: c == events.CodeRateLimited || c == events.CodeUnavailable,
		})
	}
	return all
}

func httpRefusals() []modeltest.Refusal {
	var all []modeltest.Refusal
	for status, code := range map[int]string{
		400: events.CodeInvalidRequest, 401: events.CodeUnauthorized, 403: events.CodeUnauthorized, 404: events.CodeUnknownModel,
		408: events.CodeTimeout, 413: events.CodeInvalidRequest, 429: events.CodeRateLimited, 500: events.CodeUnavailable,
		502: events.CodeUnavailable, 503: events.CodeUnavailable, 504: events.CodeTimeout,
	} {
		all = append(all, modeltest.Refusal{
			Name: http.StatusText(status), Do: status, Code: code, Retry: code == events.CodeRateLimited || code == events.CodeUnavailable,
		})
	}
	return all
}

func TestGRPCWithTriton(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, grpcKind(catalog.Triton, func(t *testing.T, p play) string {
		return (&grpcServer{play: p, raw: true, input: "text_input", output: "text_output"}).serve(t)
	}))
}

func TestGRPCWithKServe(t *testing.T) {
	t.Parallel()
	k := grpcKind(catalog.KServe, func(t *testing.T, p play) string {
		return (&grpcServer{play: p, input: "input-0", output: "output-0"}).serve(t)
	})
	k.Pieces = false
	modeltest.Run(t, k)
}

func TestGRPCWithVLLM(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, grpcKind(catalog.VLLM, func(t *testing.T, p play) string {
		return (&grpcServer{play: p, raw: true, input: "text_input", output: "text_output", final: true}).serve(t)
	}))
}

func TestHTTPWithKServe(t *testing.T) {
	t.Parallel()
	modeltest.Run(t, httpKind(catalog.KServe, func(t *testing.T, p play) string {
		return (&httpServer{play: p, input: "input-0", output: "output-0"}).serve(t)
	}))
}

func TestHTTPWithVLLM(t *testing.T) {
	t.Parallel()
	k := httpKind(catalog.VLLM, func(t *testing.T, p play) string {
		return (&httpServer{play: p, input: "text_input", output: "text_output"}).serve(t)
	})
	k.Pieces, k.Usage = true, true
	modeltest.Run(t, k)
}
