package files_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/objectstest"
)

// line is a connection in virtual time over which 32 KiB come or go in three seconds. It is cut by its deadlines, which begin as
// the server's.
type line struct {
	*httptest.ResponseRecorder
	body          io.Reader
	reads, writes time.Time
}

func newLine(body io.Reader) *line {
	return &line{
		ResponseRecorder: httptest.NewRecorder(), body: body,
		reads: time.Now().Add(30 * time.Second), writes: time.Now().Add(90 * time.Second),
	}
}

func (l *line) SetReadDeadline(t time.Time) error  { l.reads = t; return nil }
func (l *line) SetWriteDeadline(t time.Time) error { l.writes = t; return nil }

func move(n int, until time.Time) error {
	time.Sleep(3 * time.Second * time.Duration(n) / (32 << 10))
	if !time.Now().Before(until) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.body.Read(b)
	if late := move(n, l.reads); late != nil {
		return 0, late
	}
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	if err := move(len(b), l.writes); err != nil {
		return 0, err
	}
	return l.ResponseRecorder.Write(b)
}

func TestAFileTravelsOnABadLineHoweverLongThatTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 16 << 20
		tenant := &catalog.Tenant{
			Name: "search", Keys: []string{strings.TrimPrefix(catalog.HashKey(searchKey), "sha256:")}, Models: []string{catalog.AnyModel},
		}
		cat := &catalog.Catalog{Limits: catalog.Limits{File: most}, Tenants: map[string]*catalog.Tenant{"search": tenant}}
		store := objects.NewMemory(nil)
		s := ingest.New(ingest.Config{Catalog: func() *catalog.Catalog { return cat }, Objects: store})
		s.Mount(files.New(files.Config{Objects: store}).Routes()...)
		do := func(method, path string, body io.Reader, contentType string) *line {
			l := newLine(body)
			r := httptest.NewRequest(method, path, l)
			r.Header.Set("Authorization", "Bearer "+searchKey)
			r.Header.Set("Content-Type", contentType)
			s.ServeHTTP(l, r)
			if l.Code != http.StatusOK {
				t.Fatalf("%s %s: %d %s", method, path, l.Code, l.Body)
			}
			return l
		}
		began := time.Now()
		content := objectstest.Random(1, most)
		body, typ := form(t, [3]string{"purpose", "batch"}, [3]string{"file", string(content), "in.jsonl"})
		up := do(http.MethodPost, "/v1/files", body, typ)
		id := answer{status: up.Code, body: up.Body.Bytes()}.file(t).ID
		if took := time.Since(began); took < 20*time.Minute {
			t.Errorf("the upload took %v, which says nothing", took)
		}
		began = time.Now()
		down := do(http.MethodGet, "/v1/files/"+id+"/content", strings.NewReader(""), "")
		if took := time.Since(began); took < 20*time.Minute || !bytes.Equal(down.Body.Bytes(), content) {
			t.Errorf("%d bytes in %v", down.Body.Len(), took)
		}
	})
}
