package oip

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/health"
	oippb "baton.dev/baton/internal/oip"
)

func TestReadyOverGRPC(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ready func(*oippb.ModelReadyRequest) (bool, error)
		code  string
	}{
		"a model that is ready": {ready: func(r *oippb.ModelReadyRequest) (bool, error) {
			return r.GetName() == "m" && r.GetVersion() == "2", nil
		}},
		"a model that is not": {ready: func(*oippb.ModelReadyRequest) (bool, error) { return false, nil }, code: events.CodeUnavailable},
		"a model that is not known": {
			ready: func(*oippb.ModelReadyRequest) (bool, error) { return false, status.Error(codes.NotFound, "none") }, code: events.CodeUnknownModel,
		},
		"a server that does not know the question": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(says("yes"))
			s.ready = tc.ready
			call := callOf("grpc://"+s.serve(t), catalog.OIP{Version: "2"})
			err := newClient(t, nil).Ready(t.Context(), call.Target)
			if tc.code == "" && err != nil {
				t.Error(err)
			} else if tc.code != "" {
				wantCode(t, err, tc.code)
			}
		})
	}
	t.Run("a server that is gone", func(t *testing.T) {
		t.Parallel()
		err := newClient(t, nil).Ready(t.Context(), callOf("grpc://127.0.0.1:1", catalog.OIP{}).Target)
		if e := wantCode(t, err, events.CodeUnreachable); e.Target != "main" {
			t.Errorf("%v", e)
		}
	})
}

func TestReadyOverHTTP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		code   string
	}{
		"a model of Triton that is ready":          {status: 200},
		"a model of KServe that is ready":          {status: 200, body: `{"name":"m","ready":true}`},
		"a model of KServe that is not":            {status: 200, body: `{"name":"m","ready":false}`, code: events.CodeUnavailable},
		"a model of Triton that is not":            {status: 400, code: events.CodeUnavailable},
		"a model that is not known":                {status: 404, body: `{"error":"none"}`, code: events.CodeUnknownModel},
		"a server that is overloaded":              {status: 503, code: events.CodeUnavailable},
		"a server that does not know the question": {status: 501},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &httpServer{ready: func(w http.ResponseWriter, r *http.Request) {
				if r.PathValue("model") != "a model" {
					t.Errorf("asked of %q", r.PathValue("model"))
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}}
			client := NewHTTP(HTTPConfig{})
			t.Cleanup(client.Close)
			err := client.Ready(t.Context(), &catalog.Target{Name: "main", URL: "http://" + s.serve(t), Model: "a model"})
			if tc.code == "" && err != nil {
				t.Error(err)
			} else if tc.code != "" {
				wantCode(t, err, tc.code)
			}
		})
	}
}

func TestTheVersionIsInThePath(t *testing.T) {
	t.Parallel()
	var path string
	var id string
	s := &httpServer{play: says("yes"), input: "text_input", output: "text_output", request: func(r *http.Request, body []byte) {
		path = r.URL.EscapedPath()
		var in inferRequest
		_ = json.Unmarshal(body, &in)
		id = in.ID
	}}
	client := NewHTTP(HTTPConfig{})
	t.Cleanup(client.Close)
	call := callOf("http://"+s.serve(t)+"/", catalog.OIP{Version: "2"})
	call.Target.Model = "a/b c"
	if _, err := client.Call(t.Context(), call); err != nil || path != "/v2/models/a%2Fb%20c/versions/2/infer" || id != "id" {
		t.Errorf("%s, %s, %v", path, id, err)
	}
}

// probed is a prober of one real server, whose model is as ready says.
type probed struct {
	board  *health.Board
	prober *Prober
	ready  atomic.Bool
	asked  atomic.Int64
}

func newProbed(t *testing.T) *probed {
	t.Helper()
	p := &probed{board: health.New(health.Config{})}
	s := newServer(says("yes"))
	s.ready = func(*oippb.ModelReadyRequest) (bool, error) {
		p.asked.Add(1)
		return p.ready.Load(), nil
	}
	target := callOf("grpc://"+s.serve(t), catalog.OIP{}).Target
	p.prober = NewProber(ProberConfig{
		Targets: func() []*catalog.Target { return []*catalog.Target{target, {Name: "other", API: catalog.OpenAI}} },
		Clients: map[string]Readier{catalog.OIPGRPC: newClient(t, nil)},
		Board:   p.board,
		Every:   time.Millisecond,
	})
	return p
}

func TestAModelThatIsNotReadyIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	p.prober.c.Every = time.Minute
	p.prober.ask(t.Context())
	if s := p.board.Status("main"); s.State != health.Open || time.Until(s.Until) < time.Minute {
		t.Errorf("after one question its breaker is %s until %v", s.State, s.Until)
	}
	if s := p.board.Status("other").State; s == health.Open {
		t.Error("a target of another api is left alone")
	}
}

func TestAModelThatBecomesReadyIsTakenBack(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { p.prober.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !done(); <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	until("it is not left alone", func() bool { s := p.board.Status("main").State; return s == health.Open || s == health.HalfOpen })
	p.ready.Store(true)
	until("it is not half-open", func() bool { return p.board.Status("main").State == health.HalfOpen })
	for range 2 { // the next requests
		until("no request is let through", func() bool {
			probe, ok := p.board.Admit(ctx, "main")
			return probe && ok
		})
		p.board.Report(health.Outcome{Target: "main", Probe: true})
	}
	if s := p.board.Status("main").State; s != health.Closed {
		t.Errorf("after two good requests its breaker is %s", s)
	}
}

func TestABreakerThatIsClosedIsLookedAtLessOften(t *testing.T) {
	t.Parallel()
	p := newProbed(t)
	p.ready.Store(true)
	for range 9 {
		p.prober.ask(t.Context())
	}
	if n := p.asked.Load(); n != 3 {
		t.Errorf("it was asked %d times in 9 rounds", n)
	}
}

func TestASlowModelIsNotTakenForOneThatIsNotReady(t *testing.T) {
	t.Parallel()
	board := health.New(health.Config{})
	late := readierIn(func(context.Context) error { return context.DeadlineExceeded })
	p := NewProber(ProberConfig{
		Targets: func() []*catalog.Target { return []*catalog.Target{{Name: "main", API: "a"}} },
		Clients: map[string]Readier{"a": late}, Board: board,
	})
	for n := range slowInARow {
		if s := board.Status("main").State; s == health.Open {
			t.Errorf("after %d slow answers its breaker is open", n)
		}
		p.round = 0
		p.ask(t.Context())
	}
	if s := board.Status("main").State; s != health.Open {
		t.Errorf("after %d slow answers its breaker is %s", slowInARow, s)
	}
}

// readierIn is a target that answers as the function does.
type readierIn func(ctx context.Context) error

func (f readierIn) Ready(ctx context.Context, _ *catalog.Target) error { return f(ctx) }
