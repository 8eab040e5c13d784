package files_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/limit"
	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/natsobjects"
	"baton.dev/baton/internal/objects/s3objects"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	searchKey = "baton_search_key"
	otherKey  = "baton_other_key"
)

// maxFile is the limit of a file in the tests.
const maxFile = 200 << 10

type fixture struct {
	*httptest.Server
	store objects.Store
}

func setup(t *testing.T, store objects.Store) *fixture {
	t.Helper()
	return setupWith(t, store, files.Config{}, 0)
}

// setupWith returns a fixture with a configuration of its files, where each tenant has the rate, which the burst of an upload is.
func setupWith(t *testing.T, store objects.Store, cfg files.Config, rate float64) *fixture {
	t.Helper()
	tenant := func(name, key string) *catalog.Tenant {
		return &catalog.Tenant{
			Name: name, Keys: []string{strings.TrimPrefix(catalog.HashKey(key), "sha256:")}, Models: []string{catalog.AnyModel},
			Rate: rate, Burst: 1,
		}
	}
	cat := &catalog.Catalog{
		Models:  map[string]*catalog.Model{"m": {ID: "m"}},
		Limits:  catalog.Limits{File: maxFile, Deadline: time.Hour},
		Tenants: map[string]*catalog.Tenant{"search": tenant("search", searchKey), "other": tenant("other", otherKey)},
	}
	s := ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: membus.New(membus.Options{}),
		Results: results.New(results.NewMemory()), Objects: store, Limit: limit.New(limit.Config{}),
	})
	cfg.Objects, cfg.Limited = store, s.Limited
	s.Mount(files.New(cfg).Routes()...)
	f := &fixture{Server: httptest.NewServer(s), store: store}
	t.Cleanup(f.Close)
	return f
}

// stores is what files are kept in, each by a function that makes one.
func stores() map[string]func(*testing.T) objects.Store {
	return map[string]func(*testing.T) objects.Store{
		"memory": func(*testing.T) objects.Store { return objects.NewMemory(nil) },
		"nats": func(t *testing.T) objects.Store {
			js, err := jetstream.New(natstest.Connect(t, natstest.Start(t, false)))
			if err != nil {
				t.Fatal(err)
			}
			s, err := natsobjects.New(t.Context(), js, natsobjects.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		"s3": func(t *testing.T) objects.Store {
			client, bucket := sqstest.Start(t, os.Getenv).Bucket(t)
			return s3objects.New(client, s3objects.Options{Bucket: bucket})
		},
	}
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) file(t *testing.T) files.Object {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var o files.Object
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// do sends a request with search's key, or with the headers that are given.
func (f *fixture) do(t *testing.T, method, url string, body io.Reader, header ...string) answer {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = f.URL + url
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+searchKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return answer{res.StatusCode, res.Header, got}
}

// form returns a form and its content type. A field is name, value; one that is named file is a file of the name after it.
func form(t *testing.T, fields ...[3]string) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range fields {
		var err error
		if field[0] == "file" {
			var part io.Writer
			if part, err = w.CreateFormFile("file", field[2]); err == nil {
				_, err = io.WriteString(part, field[1])
			}
		} else {
			err = w.WriteField(field[0], field[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, w.FormDataContentType()
}

func (f *fixture) upload(t *testing.T, fields ...[3]string) answer {
	t.Helper()
	body, typ := form(t, fields...)
	return f.do(t, http.MethodPost, "/v1/files", body, "Content-Type", typ)
}

// keep uploads a file for a purpose, and returns its id.
func (f *fixture) keep(t *testing.T, name, content, purpose string) string {
	t.Helper()
	return f.upload(t, [3]string{"purpose", purpose}, [3]string{"file", content, name}).file(t).ID
}

// count returns how many objects there are.
func (f *fixture) count(t *testing.T) int {
	t.Helper()
	n := 0
	for _, prefix := range []string{"files/", "uploads/"} {
		all, err := f.store.(objects.Lister).List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		n += len(all)
	}
	return n
}
