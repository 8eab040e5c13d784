package ingest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// held is a writer whose answer goes out when it is whole, as on Lambda. A write of it fails when broken is set, or when it would
// wait for another time than it may.
type held struct {
	mu       sync.Mutex
	header   http.Header
	body     strings.Builder
	code     int
	deadline time.Time
	broken   bool
}

func (h *held) Header() http.Header  { return h.header }
func (h *held) WriteHeader(code int) { h.code = code }
func (h *held) SetWriteDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline = t
	return nil
}

func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken || time.Until(h.deadline) != 30*time.Second {
		return 0, errors.New("broken")
	}
	return h.body.Write(b)
}

func (h *held) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.body.String()
}

// flushed is one whose parts go out at once.
type flushed struct{ *held }

func (flushed) Flush() {}

// timed is a server in virtual time, with one request that it has accepted.
type timed struct {
	t     *testing.T
	id    string
	store *results.Store
	relay tokens.Relay
	drain context.CancelFunc
	*ingest.Server
}

func newTimed(t *testing.T, relay tokens.Relay) *timed {
	t.Helper()
	drain, begin := context.WithCancel(t.Context())
	cat := testCatalog()
	s := &timed{
		t: t, id: events.MessageID("search", someID), store: results.New(results.NewMemory()), relay: relay, drain: begin,
	}
	cfg := ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: membus.New(membus.Options{}), Results: s.store, Drain: drain,
		Tokens: relay,
	}
	s.Server = ingest.New(cfg)
	accept(t, s.store, s.id)
	return s
}

// serve answers a stream in the background.
func (s *timed) serve(w http.ResponseWriter, header ...string) (done <-chan struct{}) {
	ended := make(chan struct{})
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/v1/inferences/"+s.id+"/stream", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+searchKey)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	go func() {
		defer close(ended)
		s.ServeHTTP(w, r)
	}()
	return ended
}

func newHeld() *held { return &held{header: http.Header{}} }

func standing(id string, status events.Status) string {
	return "event: status\ndata: " + `{"message_id":"` + id + `","request_id":"","status":"` + string(status) + `"}` + "\n\n"
}

func TestAStreamWithoutPiecesHasStatusAndResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTimed(t, nil), newHeld()
		done := s.serve(flushed{w})
		time.Sleep(8 * time.Second)
		if _, err := s.store.Begin(t.Context(), s.id, results.Beginning{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Second)
		end(t, s.store, s.id)
		<-done
		const alive = ": keep-alive\n\n"
		got, _ := strings.CutPrefix(w.String(), "retry: 1000\n\n")
		want := standing(s.id, events.StatusQueued) + standing(s.id, events.StatusRunning) + alive + "event: result\nid: result\ndata: {}\n\n"
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestACanceledRequestEndsItsStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTimed(t, tokens.NewMemory()), newHeld()
		done := s.serve(flushed{w})
		synctest.Wait()
		if _, err := s.store.Begin(t.Context(), s.id, results.Beginning{Canceled: true, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		<-done
		if got := w.String(); !strings.Contains(got, `"status":"canceled"`) || !strings.HasSuffix(got, "}\n\n") {
			t.Errorf("got\n%s", got)
		}
	})
}

func TestADrainEndsAStreamSoThatItGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTimed(t, tokens.NewMemory()), newHeld()
		done := s.serve(flushed{w})
		s.relay.Send(s.id, piece(1, 0, "a"))
		synctest.Wait()
		began := time.Now()
		s.drain()
		<-done
		if time.Since(began) != 0 || !strings.HasSuffix(w.String(), "\n\n: to be continued\n\n") {
			t.Errorf("after %v the stream is\n%s", time.Since(began), w)
		}
		again := newHeld()
		<-s.serve(flushed{again}, "Last-Event-ID", "1.9.0")
		if got := again.String(); !strings.HasPrefix(got, "retry: 1000\n\nevent: status\n") || strings.Contains(got, "delta") {
			t.Errorf("while it drains the stream is\n%s", got)
		}
	})
}

func TestAnAnswerThatIsHeldBackIsShortAndIsGoneOnWith(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, first, second := newTimed(t, tokens.NewMemory()), newHeld(), newHeld()
		began := time.Now()
		done := s.serve(first)
		for n := range 2 {
			time.Sleep(time.Second / 2)
			s.relay.Send(s.id, piece(1, n, "a"))
		}
		<-done
		got := first.String()
		if took := time.Since(began); took != 2*time.Second || !strings.HasPrefix(got, "retry: 50\n\n") || !strings.Contains(got, "id: 1.9.1\n") {
			t.Errorf("after %v the stream is\n%s", took, got)
		}
		done = s.serve(second, "Last-Event-ID", "1.9.1")
		synctest.Wait()
		s.relay.Send(s.id, piece(1, 2, "b"))
		end(t, s.store, s.id)
		<-done
		if got := second.String(); strings.Contains(got, "id: 1.9.1\n") || !strings.Contains(got, "id: 1.9.2\n") || !strings.Contains(got, "event: result\n") {
			t.Errorf("the stream goes on with\n%s", got)
		}
	})
}

func TestACallerThatCannotBeWrittenToEndsItsStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTimed(t, tokens.NewMemory()), newHeld()
		done := s.serve(flushed{w})
		synctest.Wait()
		w.mu.Lock()
		w.broken = true
		w.mu.Unlock()
		s.relay.Send(s.id, piece(1, 0, "a"))
		<-done
	})
}

// away is a relay that cannot be followed.
type away struct{ tokens.Relay }

func (away) Follow(context.Context, string, tokens.ID, func(), func(tokens.Piece)) error {
	return errors.New("the relay is away")
}

// stuck is a relay that does not answer at all.
type stuck struct {
	tokens.Relay
	until chan struct{}
}

func (s stuck) Follow(context.Context, string, tokens.ID, func(), func(tokens.Piece)) error {
	<-s.until
	return nil
}

func TestFollowIsReadyAndEndsWhateverTheRelayDoes(t *testing.T) {
	t.Parallel()
	for name, relay := range map[string]func(until chan struct{}) tokens.Relay{
		"it is not there":       func(chan struct{}) tokens.Relay { return nil },
		"it is away":            func(chan struct{}) tokens.Relay { return away{} },
		"it does not answer":    func(until chan struct{}) tokens.Relay { return stuck{until: until} },
		"it has nothing to say": func(chan struct{}) tokens.Relay { return tokens.NewMemory() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				until := make(chan struct{})
				defer close(until)
				s := newTimed(t, relay(until))
				began, later := time.Now(), events.MessageID("search", "later")
				ready := make(chan time.Duration, 2)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, func() { accept(t, s.store, later) })
				time.AfterFunc(4*time.Second, func() { end(t, s.store, later) })
				standing, err := s.Follow(ctx, later, tokens.ID{}, func() { ready <- time.Since(began) }, func(tokens.Piece) {})
				if err != nil || standing.Status() != events.StatusCompleted || time.Since(began) > 5*time.Second {
					t.Errorf("after %v it stands at %s, %v", time.Since(began), standing.Status(), err)
				}
				if len(ready) != 1 || <-ready > time.Second {
					t.Error("it was not ready soon and once")
				}
				cancel()
				if _, err := s.Follow(ctx, "never", tokens.ID{}, nil, nil); !errors.Is(err, results.ErrNotFound) {
					t.Errorf("of a request that never came: %v", err)
				}
			})
		})
	}
}
