package attachments_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects/s3objects"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/sqstest"
)

// whole is the size of the image that is promised to pass, and room how much of the heap it may take on its way: a part of an
// upload of 5 MiB, its copy in the client of S3 at the worst, and buffers; and half as much again that is not collected yet.
const (
	whole = 50 << 20
	room  = 16 << 20
)

// heap watches how large the heap gets.
type heap struct{ before, most atomic.Uint64 }

func (h *heap) look() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// pass notes how large the heap is, now and then, while something passes through it.
func (h *heap) pass(r io.Reader) io.Reader {
	reads := 0
	return readerFunc(func(p []byte) (int, error) {
		reads++
		if reads%16 == 0 {
			h.most.Store(max(h.most.Load(), h.look()))
		}
		return r.Read(p)
	})
}

// modelServer answers, and tells which digest and how many bytes of an image it got.
type modelServer struct {
	mu    sync.Mutex
	sum   hash.Hash
	bytes int64
}

func (m *modelServer) serve(w http.ResponseWriter, r *http.Request, h *heap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum, m.bytes = sha256.New(), 0
	body := newBetween(h.pass(r.Body), "base64,", `"`)
	n, err := io.Copy(m.sum, base64.NewDecoder(base64.StdEncoding, body))
	m.bytes = n
	if rest, errRest := io.ReadAll(body.rest()); err != nil || errRest != nil || !strings.HasSuffix(string(rest), "}") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"A picture."},"finish_reason":"stop"}]}`)
}

// TestALargeImagePassesInLittleMemory is not parallel: it looks at the heap of all of the process. The object store is a
// process of its own.
func TestALargeImagePassesInLittleMemory(t *testing.T) {
	client, bucket := sqstest.Start(t, os.Getenv).Bucket(t)
	store := s3objects.New(client, s3objects.Options{Bucket: bucket})
	bus := membus.New(membus.Options{})
	key := "baton_key"
	cat := &catalog.Catalog{
		Models: map[string]*catalog.Model{"m": {ID: "m"}},
		Limits: catalog.Limits{Part: 64 << 20, File: 64 << 20, Deadline: time.Hour},
		Tenants: map[string]*catalog.Tenant{"search": {
			Name: "search", Keys: []string{strings.TrimPrefix(catalog.HashKey(key), "sha256:")}, Models: []string{catalog.AnyModel},
		}},
	}
	door := ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: bus, Results: results.New(results.NewMemory()), Objects: store,
	})
	door.Mount(files.New(files.Config{Objects: store}).Routes()...)
	front := httptest.NewServer(door)
	defer front.Close()
	h, m := &heap{}, &modelServer{}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, h) }))
	defer back.Close()
	openai := model.NewOpenAI(model.OpenAIConfig{})
	defer openai.Close()

	want := sha256.New()
	_, _ = io.CopyN(want, source(), whole)
	post := func(path, typ string, body io.Reader) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL+path, h.pass(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", typ)
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode/100 != 2 {
			t.Fatalf("status %d: %s, %v", res.StatusCode, answer, err)
		}
		return answer
	}
	infer := func() {
		t.Helper()
		e := next(t, bus)
		var r events.Request
		if err := json.Unmarshal(e.Data, &r); err != nil {
			t.Fatal(err)
		}
		_, err := openai.Call(t.Context(), model.Call{
			Target:  &catalog.Target{Name: "a", Model: "m", API: catalog.OpenAI, URL: back.URL, Timeout: time.Minute},
			Request: r, ID: e.ID, Expand: attachments.Expander{Store: store}.Expand(e),
		})
		if err != nil || m.bytes != whole || hex.EncodeToString(m.sum.Sum(nil)) != hex.EncodeToString(want.Sum(nil)) {
			t.Fatalf("the model got %d bytes, or others: %v", m.bytes, err)
		}
	}
	message := func(url io.Reader) io.Reader {
		return io.MultiReader(strings.NewReader(`{"model_id":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"`),
			url, strings.NewReader(`"}}]}]}`))
	}
	for name, send := range map[string]func(){
		"inline": func() {
			post("/v1/inferences", "application/json", message(io.MultiReader(strings.NewReader("data:image/png;base64,"), encoded(source()))))
		},
		"uploaded": func() {
			const edge = "--edge"
			form := io.MultiReader(
				strings.NewReader(edge+"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"), io.LimitReader(source(), whole),
				strings.NewReader("\r\n"+edge+"\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n"+edge+"--\r\n"))
			var o files.Object
			if err := json.Unmarshal(post("/v1/files", "multipart/form-data; boundary=edge", form), &o); err != nil || o.Bytes != whole {
				t.Fatalf("uploaded %+v, %v", o, err)
			}
			post("/v1/inferences", "application/json", message(strings.NewReader("baton-file:"+o.ID)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(20)) // little garbage beside what is held
			runtime.GC()
			h.before.Store(h.look())
			h.most.Store(0)
			send()
			infer()
			grown := int64(h.most.Load()) - int64(h.before.Load())
			t.Logf("an image of %d MiB passed, and the heap grew by %.1f MiB", whole>>20, float64(grown)/(1<<20))
			if grown > room {
				t.Errorf("the heap grew by %d bytes, %d at most", grown, room)
			}
		})
	}
}

// source returns the bytes of the image, and more.
func source() io.Reader { return rand.NewChaCha8([32]byte{7}) }

// encoded returns the image in base64, as it is read.
func encoded(from io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		enc := base64.NewEncoder(base64.StdEncoding, w)
		_, err := io.CopyN(enc, from, whole)
		_ = w.CloseWithError(errors.Join(err, enc.Close())) // nil is the end
	}()
	return r
}

// next takes the event off the bus that waits for schedule.
func next(t *testing.T, bus *membus.Bus) events.Event {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel() // Receive hands out what is there
	var got []events.Event
	for _, p := range events.Priorities() {
		err := bus.Receive(done, events.Lane{Hop: events.Schedule, Priority: p}, 1, func(d hop.Delivery) {
			got = append(got, d.Event)
			_ = d.Ack(context.Background())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	return got[0]
}

// between reads what stands between two words of a text.
type between struct {
	from   io.Reader
	buf    []byte
	start  string
	end    byte
	inside bool
	over   bool
}

func newBetween(from io.Reader, start, end string) *between {
	return &between{from: from, start: start, end: end[0]}
}

func (b *between) Read(p []byte) (int, error) {
	for {
		if b.over {
			return 0, io.EOF
		}
		if !b.inside {
			if _, after, ok := bytes.Cut(b.buf, []byte(b.start)); ok {
				b.inside, b.buf = true, after
			}
		}
		if b.inside && len(b.buf) > 0 {
			n := copy(p, b.buf)
			if i := bytes.IndexByte(p[:n], b.end); i >= 0 {
				b.over, b.buf = true, b.buf[i:]
				return i, io.EOF
			}
			b.buf = b.buf[n:]
			return n, nil
		}
		more := make([]byte, 32<<10)
		n, err := b.from.Read(more)
		b.buf = append(b.buf, more[:n]...)
		if err != nil && n == 0 {
			return 0, err
		}
	}
}

func (b *between) rest() io.Reader { return io.MultiReader(bytes.NewReader(b.buf), b.from) }
