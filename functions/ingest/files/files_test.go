package files_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
)

func TestAFileIsUploadedReadListedAndDeleted(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("é\x00", 30_000)
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, open(t))
			for _, fields := range [][][3]string{ // in any order
				{{"purpose", "vision"}, {"expires_after[anchor]", "created_at"}, {"expires_after[seconds]", "3600"}, {"file", content, "a é.png"}},
				{{"expires_after[anchor]", "created_at"}, {"file", content, "a é.png"}, {"purpose", "vision"}, {"expires_after[seconds]", "3600"}, {"x", "y"}},
			} {
				before := time.Now().Add(-time.Second).Unix()
				o := f.upload(t, fields...).file(t)
				if !attachments.ValidFileID(o.ID) || o.Object != "file" || o.Bytes != int64(len(content)) || o.Filename != "a é.png" ||
					o.Purpose != "vision" || o.Status != files.StatusProcessed || o.CreatedAt < before ||
					o.ExpiresAt < before+3600 || o.ExpiresAt > before+3660 || o.Upload != nil {
					t.Errorf("uploaded %+v", o)
				}
				if got := f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil).file(t); got != o {
					t.Errorf("it is %+v, and was %+v", got, o)
				}
				got := f.do(t, http.MethodGet, "/v1/files/"+o.ID+"/content", nil)
				if string(got.body) != content || got.header.Get("Content-Type") != "application/octet-stream" ||
					!strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") {
					t.Errorf("content: status %d, %d bytes, %v", got.status, len(got.body), got.header)
				}
				if head := f.do(t, http.MethodHead, "/v1/files/"+o.ID+"/content", nil); head.status != 200 || len(head.body) != 0 {
					t.Errorf("HEAD: %d, %q", head.status, head.body)
				}
				file, err := attachments.StatFile(t.Context(), f.store, "search", o.ID)
				if err != nil || file.Type != "image/png" {
					t.Errorf("kept as %+v, %v", file, err)
				}
				for _, path := range []string{"", "/content"} { // of another tenant's nothing is said
					if a := f.do(t, http.MethodGet, "/v1/files/"+o.ID+path, nil, "Authorization", "Bearer "+otherKey); a.status != 404 {
						t.Errorf("another tenant: status %d", a.status)
					}
				}
				if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil, "Authorization", "Bearer "+otherKey); a.status != 404 {
					t.Errorf("another tenant deletes: status %d", a.status)
				}
				want := `{"id":"` + o.ID + `","object":"file","deleted":true}` + "\n"
				if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil); a.status != 200 || string(a.body) != want {
					t.Errorf("delete: %d %s", a.status, a.body)
				}
				for _, m := range []string{http.MethodGet, http.MethodDelete} {
					if a := f.do(t, m, "/v1/files/"+o.ID, nil); a.status != 404 {
						t.Errorf("%s after delete: status %d", m, a.status)
					}
				}
			}
			if n := f.count(t); n != 0 {
				t.Errorf("%d objects are left", n)
			}
		})
	}
}

func TestAFormThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t, objects.NewMemory(nil))
	file, purpose := [3]string{"file", "x", "a.jsonl"}, [3]string{"purpose", "batch"}
	for name, tc := range map[string]struct {
		fields [][3]string
		status int
		says   string
	}{
		"no file":                       {[][3]string{purpose}, 422, "file is required"},
		"no purpose":                    {[][3]string{file}, 422, "purpose is required"},
		"no such purpose":               {[][3]string{{"purpose", "x"}, file}, 422, "must be one of"},
		"no such purpose, after it":     {[][3]string{file, {"purpose", "x"}}, 422, "must be one of"},
		"two files":                     {[][3]string{purpose, file, file}, 422, "twice"},
		"no name":                       {[][3]string{purpose, {"file", "x", ""}}, 422, "filename"},
		"too large":                     {[][3]string{purpose, {"file", strings.Repeat("x", maxFile+1), "a"}}, 413, "204800"},
		"an expiry that is none":        {[][3]string{purpose, file, {"expires_after[seconds]", "soon"}}, 422, "expires_after"},
		"an expiry that is too soon":    {[][3]string{purpose, file, {"expires_after[seconds]", "1"}, {"expires_after[anchor]", "created_at"}}, 422, "3600"},
		"an expiry without an anchor":   {[][3]string{purpose, file, {"expires_after[seconds]", "4000"}}, 422, "anchor"},
		"a field that is too large":     {[][3]string{purpose, {"x", strings.Repeat("y", 2000)}, file}, 413, "field"},
		"more fields than there may be": {slices.Repeat([][3]string{purpose}, 20), 400, "fields"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a := f.upload(t, tc.fields...); a.status != tc.status || !strings.Contains(string(a.body), tc.says) {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	t.Cleanup(func() {
		all, err := f.store.(objects.Lister).List(t.Context(), "")
		if len(all) != 0 {
			t.Errorf("%v is left, %v", all, err)
		}
	})
	body, typ := form(t, purpose, file)
	broken := strings.NewReader(strings.Repeat("x", 10))
	if a := f.do(t, http.MethodPost, "/v1/files", broken, "Content-Type", typ); a.status != 422 {
		t.Errorf("a form that is none: status %d: %s", a.status, a.body)
	}
	if a := f.do(t, http.MethodPost, "/v1/files", body, "Content-Type", "text/plain"); a.status != 415 {
		t.Errorf("another type: status %d", a.status)
	}
	if a := f.do(t, http.MethodPost, "/v1/files", body, "Content-Type", typ, "Authorization", "x"); a.status != 401 {
		t.Errorf("without a key: status %d", a.status)
	}
}

// list is a page of a list.
type list struct {
	Data    []files.Object `json:"data"`
	LastID  *string        `json:"last_id"`
	HasMore bool           `json:"has_more"`
}

func (f *fixture) list(t *testing.T, query string) (list, []string) {
	t.Helper()
	a := f.do(t, http.MethodGet, "/v1/files"+query, nil)
	var l list
	if err := json.Unmarshal(a.body, &l); err != nil || a.status != 200 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var names []string
	for _, o := range l.Data {
		names = append(names, o.Filename)
	}
	return l, names
}

func TestFilesAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	var clock time.Time
	f := setup(t, objects.NewMemory(func() time.Time { clock = clock.Add(time.Second); return clock }))
	clock = time.Now()
	first := f.keep(t, "1", "x", "batch")
	for _, name := range []string{"2", "3", "4"} {
		f.keep(t, name, "x", "vision")
	}
	f.keep(t, "5", "x", "batch")
	if _, names := f.list(t, ""); !slices.Equal(names, []string{"5", "4", "3", "2", "1"}) {
		t.Errorf("listed %v", names)
	}
	if _, names := f.list(t, "?purpose=batch&order=asc"); !slices.Equal(names, []string{"1", "5"}) {
		t.Errorf("listed %v", names)
	}
	var all []string
	query := url.Values{"limit": {"2"}}
	for range 3 {
		l, names := f.list(t, "?"+query.Encode())
		all = append(all, names...)
		if l.HasMore != (len(all) < 5) {
			t.Errorf("after %v has_more is %v", all, l.HasMore)
		}
		query.Set("after", *l.LastID)
	}
	if !slices.Equal(all, []string{"5", "4", "3", "2", "1"}) {
		t.Errorf("pages have %v", all)
	}
	if l, _ := f.list(t, "?after="+first); len(l.Data) != 0 || l.HasMore {
		t.Errorf("after the last: %+v", l)
	}
	for _, query := range []string{"?limit=0", "?limit=x", "?order=up"} {
		if a := f.do(t, http.MethodGet, "/v1/files"+query, nil); a.status != 400 {
			t.Errorf("%s: status %d", query, a.status)
		}
	}
}
