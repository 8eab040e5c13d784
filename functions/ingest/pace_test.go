package ingest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// line is a connection in virtual time over which so many bytes come and go in so long a time. It is cut by its deadlines, which
// begin as the server's.
type line struct {
	*httptest.ResponseRecorder
	chunk         int
	every         time.Duration
	left          int // bytes of the body
	reads, writes time.Time
}

func newLine(chunk int, every time.Duration, size int) *line {
	return &line{
		ResponseRecorder: httptest.NewRecorder(), chunk: chunk, every: every, left: size,
		reads: time.Now().Add(30 * time.Second), writes: time.Now().Add(90 * time.Second),
	}
}

func (l *line) SetReadDeadline(t time.Time) error  { l.reads = t; return nil }
func (l *line) SetWriteDeadline(t time.Time) error { l.writes = t; return nil }

// move waits until bytes have moved, or until the deadline.
func (l *line) move(n int, until time.Time) error {
	takes := l.every * time.Duration(n) / time.Duration(l.chunk)
	if left := time.Until(until); left <= takes {
		time.Sleep(left)
		return os.ErrDeadlineExceeded
	}
	time.Sleep(takes)
	return nil
}

func (l *line) Read(b []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, make([]byte, min(l.chunk, l.left)))
	if err := l.move(n, l.reads); err != nil {
		return 0, err
	}
	l.left -= n
	return n, nil
}

func (l *line) Write(b []byte) (int, error) {
	if err := l.move(len(b), l.writes); err != nil {
		return 0, err
	}
	return len(b), nil
}

// over answers a POST over the line by the handler, and returns how long that took.
func (l *line) over(h ingest.Handler) time.Duration {
	cat := testCatalog()
	s := ingest.New(ingest.Config{Catalog: func() *catalog.Catalog { return cat }})
	s.Mount(ingest.Route{Pattern: "/large", Open: true, Methods: map[string]ingest.Handler{http.MethodPost: h}})
	began := time.Now()
	s.ServeHTTP(l, httptest.NewRequest(http.MethodPost, "/large", l))
	return time.Since(began)
}

// slowStore takes its time for each piece.
type slowStore time.Duration

func (s slowStore) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(s))
	return len(b), nil
}

func TestABodyTakesAsLongAsItMoves(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	for name, tc := range map[string]struct {
		chunk   int
		every   time.Duration
		into    io.Writer
		err     error
		atMost  time.Duration
		atLeast time.Duration
	}{
		"a bad line":             {32 << 10, 3 * time.Second, io.Discard, nil, time.Hour, 50 * time.Minute},
		"a line that is too bad": {1 << 10, time.Second, io.Discard, os.ErrDeadlineExceeded, 30 * time.Second, 0},
		"a line that is dead":    {32 << 10, time.Hour, io.Discard, os.ErrDeadlineExceeded, 30 * time.Second, 0},
		"a store that is slow":   {32 << 10, time.Millisecond, slowStore(40 * time.Second), nil, 24 * time.Hour, 10 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLine(tc.chunk, tc.every, size)
				took := l.over(func(x *ingest.Exchange, r *http.Request) *problem.Problem {
					x.TakeTime()
					if _, err := io.Copy(tc.into, r.Body); !errors.Is(err, tc.err) {
						t.Errorf("read with %v", err)
					}
					l.every = time.Second
					time.Sleep(10 * time.Minute) // whatever comes of it
					x.WriteJSON(http.StatusOK, []byte("{}"))
					if time.Until(l.writes) < 30*time.Second {
						t.Error("the answer is cut off")
					}
					return nil
				}) - 10*time.Minute - time.Second
				if took > tc.atMost || took < tc.atLeast {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestALargeAnswerTakesAsLongAsItMoves(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	for name, tc := range map[string]struct {
		every time.Duration
		err   error
	}{"a bad line": {3 * time.Second, nil}, "a line that is too bad": {20 * time.Second, os.ErrDeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLine(32<<10, tc.every, 0)
				l.over(func(x *ingest.Exchange, _ *http.Request) *problem.Problem {
					content := io.LimitReader(zeros{}, size)
					if _, err := io.Copy(x.Large(), content); !errors.Is(err, tc.err) {
						t.Errorf("written with %v", err)
					}
					return nil
				})
			})
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestALargeRequestThatDoesNotMoveIs408(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := ingest.Config{}
		withObjects(objects.NewMemory(nil))(&c)
		l := newLine(1<<10, 10*time.Second, 100<<10)
		r := httptest.NewRequest(http.MethodPost, "/v1/inferences", l)
		r.Header.Set("Authorization", "Bearer "+searchKey)
		r.Header.Set("Content-Type", "application/json")
		ingest.New(c).ServeHTTP(l, r)
		if l.Code != http.StatusRequestTimeout || l.Header().Get("Connection") != "close" {
			t.Errorf("answered %d, %v", l.Code, l.Header())
		}
	})
}
