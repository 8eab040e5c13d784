package oip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/modeltest"
	oippb "baton.dev/baton/internal/oip"
)

var _ Credentials = (*credentials.Credentials)(nil)

// accepted counts the connections of a server.
type accepted struct{ n atomic.Int64 }

func (*accepted) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (*accepted) HandleRPC(context.Context, stats.RPCStats) {}

func (*accepted) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (a *accepted) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		a.n.Add(1)
	}
}

func says(pieces ...string) play {
	return func(context.Context, modeltest.Seen) modeltest.Script { return modeltest.Script{Pieces: pieces} }
}

// newServer returns a server like Triton that does what play says.
func newServer(p play) *grpcServer {
	return &grpcServer{play: p, raw: true, input: "text_input", output: "text_output"}
}

// callOf returns a call of a target at the URL.
func callOf(url string, o catalog.OIP) model.Call {
	text := "hello"
	return model.Call{
		Target:  &catalog.Target{Name: "main", API: catalog.OIPGRPC, URL: url, Model: "m", OIP: o, Timeout: time.Minute},
		Request: events.Request{Prompt: &text}, ID: "id",
	}
}

func newClient(t *testing.T, c Credentials) *GRPC {
	g := NewGRPC(GRPCConfig{Credentials: c})
	t.Cleanup(g.Close)
	return g
}

func wantCode(t *testing.T, err error, code string) *model.Error {
	t.Helper()
	e, ok := errors.AsType[*model.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	return e
}

func TestACharacterMayBeCutBetweenPieces(t *testing.T) {
	t.Parallel()
	const want = "a 漢字 👩🏽‍🚀 é"
	for size := 1; size <= 5; size++ {
		var pieces []string
		for rest := want; rest != ""; {
			n := min(size, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		call := callOf("grpc://"+newServer(says(pieces...)).serve(t), catalog.OIP{})
		var deltas strings.Builder
		call.Delta = func(d model.Delta) { deltas.WriteString(d.Text) }
		a, err := newClient(t, nil).Call(t.Context(), call)
		if err != nil || a.Output != want || deltas.String() != want {
			t.Errorf("in pieces of %d: %q, %q, %v", size, a.Output, deltas.String(), err)
		}
	}
	call := callOf("grpc://"+newServer(says("a\xe6\xbc", "b", "\xe6")).serve(t), catalog.OIP{})
	var deltas strings.Builder
	call.Delta = func(d model.Delta) { deltas.WriteString(d.Text) }
	if a, err := newClient(t, nil).Call(t.Context(), call); err != nil || a.Output != "a\uFFFDb\uFFFD" || deltas.String() != a.Output {
		t.Errorf("a character that is never whole: %q, %q, %v", a.Output, deltas.String(), err)
	}
}

func TestTargetsOfOneServerShareAConnection(t *testing.T) {
	t.Parallel()
	var conns accepted
	address := newServer(says("yes")).serve(t, grpc.StatsHandler(&conns))
	client := newClient(t, nil)
	var calls sync.WaitGroup
	for n := range 20 {
		calls.Go(func() {
			call := callOf("grpc://"+address, catalog.OIP{})
			call.Target.Name, call.Target.Model = "target-"+string(rune('a'+n)), "model-"+string(rune('a'+n))
			if _, err := client.Call(t.Context(), call); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := conns.n.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestWhichMethodMakesTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		oip           catalog.OIP
		delta, stream bool
	}{
		"a whole answer of Triton is made by ModelInfer":             {catalog.OIP{}, false, false},
		"one that is wanted while it is made by ModelStreamInfer":    {catalog.OIP{}, true, true},
		"one of a decoupled model by ModelStreamInfer":               {catalog.OIP{Stream: true}, false, true},
		"one of vLLM by ModelStreamInfer":                            {catalog.OIP{Preset: catalog.VLLM}, false, true},
		"one of KServe, which has no ModelStreamInfer, by the other": {catalog.OIP{Preset: catalog.KServe, Input: "text_input", Output: "text_output"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streamed := false
			s := newServer(func(_ context.Context, s modeltest.Seen) modeltest.Script {
				streamed = s.Header("triton_grpc_error") == "true"
				return modeltest.Script{Pieces: []string{"yes"}}
			})
			call := callOf("grpc://"+s.serve(t), tc.oip)
			if tc.delta {
				call.Delta = func(model.Delta) {}
			}
			if _, err := newClient(t, nil).Call(t.Context(), call); err != nil || streamed != tc.stream {
				t.Errorf("streamed %t, %v", streamed, err)
			}
		})
	}
}

func TestTheServerKnowsTheDeadline(t *testing.T) {
	t.Parallel()
	var left time.Duration
	address := newServer(func(ctx context.Context, _ modeltest.Seen) modeltest.Script {
		if end, ok := ctx.Deadline(); ok {
			left = time.Until(end)
		}
		return modeltest.Script{Pieces: []string{"yes"}}
	}).serve(t)
	call := callOf("grpc://"+address, catalog.OIP{})
	call.Expiry = time.Now().Add(50 * time.Second)
	if _, err := newClient(t, nil).Call(t.Context(), call); err != nil || left <= 0 || left > 51*time.Second {
		t.Errorf("%v left, %v", left, err)
	}
}

// errorInStream is a server that sends an error as text, as Triton does for clients that do not ask for a status.
type errorInStream struct {
	oippb.UnimplementedGRPCInferenceServiceServer
}

func (errorInStream) ModelStreamInfer(s grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]) error {
	return s.Send(&oippb.ModelStreamInferResponse{ErrorMessage: "the prompt was: hello"})
}

func TestAnErrorInAStreamIsNoAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	oippb.RegisterGRPCInferenceServiceServer(srv, errorInStream{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		srv.Stop()
		serving.Wait()
	})
	_, err = newClient(t, nil).Call(t.Context(), callOf("grpc://"+l.Addr().String(), catalog.OIP{Stream: true}))
	if e := wantCode(t, err, events.CodeUnavailable); !e.Sent || strings.Contains(e.Error()+e.Message, "hello") {
		t.Errorf("%v, %q", e, e.Message)
	}
}

// secure are credentials of TLS settings, which count the credentials that were refused.
type secure struct {
	settings *tls.Config
	refused  atomic.Int64
}

func (*secure) Metadata(context.Context, *catalog.Target) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer token"}, nil
}

func (s *secure) TLS(*catalog.Target) (*tls.Config, error) { return s.settings, nil }

func (s *secure) Refused(_ *catalog.Target, secrets []string) {
	if len(secrets) == 2 && secrets[1] == "token" {
		s.refused.Add(1)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	from := httptest.NewUnstartedServer(nil) // for its certificate, of example.com and loopback
	from.StartTLS()
	t.Cleanup(from.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(from.Certificate())
	own := from.TLS.Certificates[0]
	serve := func(t *testing.T, demand tls.ClientAuthType) string {
		settings := &tls.Config{
			Certificates: []tls.Certificate{own}, ClientAuth: demand, ClientCAs: trusted, MinVersion: tls.VersionTLS12,
		}
		return newServer(says("yes")).serve(t, grpc.Creds(grpccredentials.NewTLS(settings)))
	}
	t.Run("a certificate that the server refuses is a credential that it refuses", func(t *testing.T) {
		t.Parallel()
		// With TLS 1.3 the server says so after the handshake, and its word may be lost.
		c := &secure{settings: &tls.Config{
			RootCAs: trusted, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		}} // a certificate of servers is none of clients
		_, err := newClient(t, c).Call(t.Context(), callOf("grpcs://"+serve(t, tls.RequireAndVerifyClientCert), catalog.OIP{}))
		wantCode(t, err, events.CodeUnauthorized)
	})
	t.Run("both sides are shown a certificate", func(t *testing.T) {
		t.Parallel()
		c := &secure{settings: &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}}
		if a, err := newClient(t, c).Call(t.Context(), callOf("grpcs://"+serve(t, tls.RequireAnyClientCert), catalog.OIP{})); err != nil || a.Output != "yes" {
			t.Errorf("%q, %v", a.Output, err)
		}
	})
	t.Run("a server that is not trusted gets nothing", func(t *testing.T) {
		t.Parallel()
		c := &secure{settings: &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}}
		_, err := newClient(t, c).Call(t.Context(), callOf("grpcs://"+serve(t, tls.RequireAnyClientCert), catalog.OIP{}))
		if e := wantCode(t, err, events.CodeUnreachable); e.Sent || !strings.Contains(e.Error(), "certificate is not trusted") {
			t.Errorf("%v, sent %t", e, e.Sent)
		}
	})
	t.Run("a server that does not speak TLS is said to be that", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		plain := grpc.NewServer()
		go func() { _ = plain.Serve(l) }()
		t.Cleanup(plain.Stop)
		_, err = newClient(t, nil).Call(t.Context(), callOf("grpcs://"+l.Addr().String(), catalog.OIP{}))
		if e := wantCode(t, err, events.CodeUnreachable); !strings.Contains(e.Error(), "the server does not speak TLS") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("other settings are another connection", func(t *testing.T) {
		t.Parallel()
		address := serve(t, tls.RequireAnyClientCert)
		c := &secure{settings: &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}}
		client := newClient(t, c)
		if _, err := client.Call(t.Context(), callOf("grpcs://"+address, catalog.OIP{})); err == nil {
			t.Fatal("it is trusted")
		}
		c.settings = &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
		for range 2 {
			if _, err := client.Call(t.Context(), callOf("grpcs://"+address, catalog.OIP{})); err != nil {
				t.Error(err)
			}
		}
	})
}

// alerted is a connection whose other side sends an alert after a byte.
type alerted struct {
	net.Conn
	read bool
}

func (a *alerted) Read(b []byte) (int, error) {
	if !a.read {
		a.read = true
		return copy(b, "x"), nil
	}
	return 0, &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}
}

func TestAnAlertAfterTheHandshakeIsHeard(t *testing.T) {
	t.Parallel()
	c := &connection{broken: errors.New("refused")}
	h := &heard{Conn: &alerted{}, of: c}
	if _, err := h.Read(make([]byte, 8)); err != nil || !errors.Is(c.brokenness(), io.ErrUnexpectedEOF) {
		t.Errorf("what the server said does not count: %v, %v", err, c.brokenness())
	}
	_, err := h.Read(make([]byte, 8))
	if err == nil || !errors.Is(c.brokenness(), err) {
		t.Errorf("it heard %v", c.brokenness())
	}
	wantCode(t, model.Failure(t.Context(), t.Context(), "", c.brokenness()), events.CodeUnauthorized)
}

func TestARefusedCredentialIsTold(t *testing.T) {
	t.Parallel()
	c := new(secure)
	s := newServer(func(context.Context, modeltest.Seen) modeltest.Script {
		return modeltest.Script{Refuse: codes.Unauthenticated}
	})
	_, err := newClient(t, c).Call(t.Context(), callOf("grpc://"+s.serve(t), catalog.OIP{}))
	wantCode(t, err, events.CodeUnauthorized)
	if n := c.refused.Load(); n != 1 {
		t.Errorf("it was told %d times", n)
	}
}

func TestATargetThatCannotBeCalled(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	call := callOf("grpc://127.0.0.1:1", catalog.OIP{})
	call.Target.Key = "env:KEY"
	_, err := client.Call(t.Context(), call)
	if e := wantCode(t, err, events.CodeUnauthorized); e.Sent {
		t.Error("it was sent")
	}
	call = callOf("grpc://user:pa ss@host:1\x7f", catalog.OIP{})
	_, err = client.Call(t.Context(), call)
	if e := wantCode(t, err, events.CodeUnreachable); e.Sent || strings.Contains(e.Error(), "pa ss") {
		t.Errorf("%v", e)
	}
	call = callOf("grpc://127.0.0.1:1", catalog.OIP{})
	call.Request = events.Request{Operation: events.Embeddings}
	_, err = client.Call(t.Context(), call)
	if e := wantCode(t, err, events.CodeUnsupported); e.Sent || e.Target != "main" {
		t.Errorf("%v", e)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tooLarge := status.New(codes.ResourceExhausted, "SERVER: Received message larger than max (9 vs. 4)")
	tooLarge2 := status.New(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 4)")
	for _, s := range []*status.Status{tooLarge, tooLarge2} {
		if e := refusal(s, nil, nil, now); e.Code != events.CodeInvalidRequest || e.Status != 413 {
			t.Errorf("%s: %v", s.Message(), e)
		}
	}
	if e := refusal(status.New(99, "x"), nil, nil, now); e.Code != events.CodeUnavailable || e.Status != 500 {
		t.Errorf("a code of later days: %v", e)
	}
	pushed := refusal(status.New(codes.Unavailable, "x"), metadata.Pairs("grpc-retry-pushback-ms", "1500"), nil, now)
	if got := pushed.RetryAt.Sub(now); got != 1500*time.Millisecond {
		t.Errorf("pushed back for %v", got)
	}
}
