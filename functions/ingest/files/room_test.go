package files_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/objects"
)

// gated is a store whose first upload of a file waits, once it has begun, until it may go on.
type gated struct {
	*objects.Memory

	first     atomic.Bool // has come
	began, on chan struct{}
}

func newGated() *gated {
	return &gated{Memory: objects.NewMemory(nil), began: make(chan struct{}), on: make(chan struct{})}
}

func (g *gated) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if strings.HasPrefix(in.Key, "files/") && g.first.CompareAndSwap(false, true) {
		close(g.began)
		<-g.on
	}
	return g.Memory.Put(ctx, in, content)
}

// during uploads what was announced, does something when that has begun, and returns the answer to the upload.
func (f *fixture) during(t *testing.T, g *gated, o files.Object, content string, do func()) answer {
	t.Helper()
	var a answer
	var upload sync.WaitGroup
	upload.Go(func() { a = f.send(t, o, content) })
	<-g.began
	do()
	close(g.on)
	upload.Wait()
	return a
}

func TestAFileThatIsDeletedWhileItIsUploadedStaysDeleted(t *testing.T) {
	t.Parallel()
	g := newGated()
	f := setup(t, g)
	o := f.announce(t, "content", "")
	a := f.during(t, g, o, "content", func() {
		if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil); a.status != 200 {
			t.Errorf("delete: status %d", a.status)
		}
	})
	if a.status != 404 || f.count(t) != 0 {
		t.Errorf("the upload: status %d, and %d objects are left", a.status, f.count(t))
	}
	if a := f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil); a.status != 404 {
		t.Errorf("it is there again: %s", a.body)
	}
}

func TestOfTwoUploadsAtTheSameTimeBothStand(t *testing.T) {
	t.Parallel()
	g := newGated()
	f := setup(t, g)
	o := f.announce(t, "content", "")
	a := f.during(t, g, o, "content", func() {
		if a := f.send(t, o, "CONTENT"); a.status != 200 {
			t.Errorf("the other upload: status %d", a.status)
		}
	})
	got := f.do(t, http.MethodGet, "/v1/files/"+o.ID+"/content", nil)
	if a.status != 200 || string(got.body) != "content" {
		t.Errorf("the upload: status %d, and %q is there", a.status, got.body)
	}
}

func TestATenantKeepsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	f := setupWith(t, objects.NewMemory(nil), files.Config{TenantBytes: 100_000}, 0)
	purpose := [3]string{"purpose", "batch"}
	file := func(size int) [3]string { return [3]string{"file", strings.Repeat("x", size), "a"} }
	first := f.upload(t, purpose, file(60_000)).file(t)
	announced := f.announce(t, strings.Repeat("x", 30_000), "")
	for name, a := range map[string]answer{
		"a form":          f.upload(t, purpose, file(60_000)),
		"an announcement": f.do(t, http.MethodPost, "/v1/files", strings.NewReader(`{"filename":"a","purpose":"batch","bytes":60000}`), "Content-Type", "application/json"),
	} {
		if a.status != 413 || !strings.Contains(string(a.body), "100000 bytes together") {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
	body, typ := form(t, purpose, file(60_000)) // that does not say how long it is
	if a := f.do(t, http.MethodPost, "/v1/files", io.MultiReader(body), "Content-Type", typ); a.status != 413 {
		t.Errorf("a form in chunks: status %d: %s", a.status, a.body)
	}
	f.upload(t, purpose, file(20_000)).file(t)
	if a := f.send(t, announced, strings.Repeat("x", 30_000)); a.status != 413 {
		t.Errorf("what was announced and has no room any more: status %d: %s", a.status, a.body)
	}
	if a := f.do(t, http.MethodDelete, "/v1/files/"+first.ID, nil); a.status != 200 {
		t.Errorf("delete: status %d", a.status)
	}
	if a := f.send(t, announced, strings.Repeat("x", 30_000)); a.status != 200 {
		t.Errorf("when there is room again: status %d: %s", a.status, a.body)
	}
}

func TestAnUploadCountsAgainstTheRate(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func(f *fixture, o files.Object) answer{
		"a form": func(f *fixture, _ files.Object) answer {
			return f.upload(t, [3]string{"purpose", "batch"}, [3]string{"file", "x", "a"})
		},
		"an announcement": func(f *fixture, _ files.Object) answer {
			return f.do(t, http.MethodPost, "/v1/files", strings.NewReader(`{}`), "Content-Type", "application/json")
		},
		"a content": func(f *fixture, o files.Object) answer { return f.send(t, o, "x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupWith(t, objects.NewMemory(nil), files.Config{}, 0.001)
			o := f.announce(t, "x", "")
			if a := after(f, o); a.status != 429 || a.header.Get("Retry-After") == "" {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			if a := f.do(t, http.MethodGet, "/v1/files", nil); a.status != 200 {
				t.Errorf("a list: status %d: %s", a.status, a.body)
			}
		})
	}
}

// full is a store that has no room.
type full struct{ *objects.Memory }

func (full) Put(context.Context, objects.Info, io.Reader) (objects.Info, error) {
	return objects.Info{}, objects.ErrFull
}

func TestAStoreThatIsFullIsSaidToBe(t *testing.T) {
	t.Parallel()
	f := setup(t, full{objects.NewMemory(nil)})
	a := f.upload(t, [3]string{"purpose", "batch"}, [3]string{"file", "x", "a"})
	if a.status != 503 || !strings.Contains(string(a.body), "no room") || a.header.Get("Retry-After") == "" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}
