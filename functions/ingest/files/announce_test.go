package files_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/files"
	"baton.dev/baton/internal/objects"
)

// announce announces a file, with a digest that is given.
func (f *fixture) announce(t *testing.T, content, digest string) files.Object {
	t.Helper()
	body := `{"filename":"a é.pdf","purpose":"user_data","content_type":"application/pdf","bytes":` +
		strconv.Itoa(len(content)) + `,"sha256":"` + digest + `"}`
	o := f.do(t, http.MethodPost, "/v1/files", strings.NewReader(body), "Content-Type", "application/json").file(t)
	if o.Status != files.StatusPending || o.Upload == nil || o.Upload.Method != http.MethodPut || o.Bytes != int64(len(content)) {
		t.Fatalf("announced %+v", o)
	}
	return o
}

func sum(content string) string {
	s := sha256.Sum256([]byte(content))
	return hex.EncodeToString(s[:])
}

func (f *fixture) send(t *testing.T, o files.Object, content string) answer {
	t.Helper()
	header := []string{"Authorization", ""} // the URL is all that it takes
	for name, value := range o.Upload.Headers {
		header = append(header, name, value)
	}
	return f.do(t, o.Upload.Method, o.Upload.URL, strings.NewReader(content), header...)
}

func TestAnAnnouncedFileIsUploaded(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("pdf", 50_000)
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, open(t))
			o := f.announce(t, content, sum(content))
			if d := time.Until(time.Unix(o.Upload.ExpiresAt, 0)); d < 14*time.Minute || d > 16*time.Minute {
				t.Errorf("the upload is open for %s", d)
			}
			got := f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil).file(t)
			if got.Status != files.StatusPending || got.Filename != o.Filename || got.CreatedAt != o.CreatedAt || got.ExpiresAt != o.ExpiresAt {
				t.Errorf("before the upload it is %+v", got)
			}
			if a := f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil, "Authorization", "Bearer "+otherKey); a.status != 404 {
				t.Errorf("another tenant: status %d", a.status)
			}
			if l, _ := f.list(t, ""); len(l.Data) != 0 {
				t.Errorf("before the upload %+v is listed", l.Data)
			}
			if a := f.send(t, o, content); a.status != 200 {
				t.Fatalf("upload: %d %s", a.status, a.body)
			}
			got = f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil).file(t)
			if got.Status != files.StatusProcessed || got.Filename != "a é.pdf" || got.Purpose != "user_data" ||
				got.Bytes != int64(len(content)) || got.ExpiresAt != o.ExpiresAt {
				t.Errorf("after the upload it is %+v", got)
			}
			if a := f.do(t, http.MethodGet, "/v1/files/"+o.ID+"/content", nil); string(a.body) != content {
				t.Errorf("content: status %d, %d bytes", a.status, len(a.body))
			}
			if name != "s3" { // the server that stands in for S3 does not know If-None-Match of a PUT
				if a := f.send(t, o, strings.Repeat("PDF", 50_000)); a.status != 404 {
					t.Errorf("a second upload: status %d", a.status)
				}
			}
			if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil); a.status != 200 || f.count(t) != 0 {
				t.Errorf("delete: status %d, and %d objects are left", a.status, f.count(t))
			}
		})
	}
}

func TestAnUploadThatIsNotWhatWasAnnounced(t *testing.T) {
	t.Parallel()
	f := setup(t, objects.NewMemory(nil))
	const content = "what was announced"
	o := f.announce(t, content, sum(content))
	for name, tc := range map[string]struct {
		url, content string
		status       int
	}{
		"shorter":         {o.Upload.URL, content[1:], 400},
		"longer":          {o.Upload.URL, content + "!", 400},
		"other":           {o.Upload.URL, strings.ToUpper(content), 400},
		"another token":   {o.Upload.URL + "x", content, 404},
		"no token":        {strings.Split(o.Upload.URL, "?")[0], content, 404},
		"another file":    {strings.Replace(o.Upload.URL, o.ID, "file-none", 1), content, 404},
		"a file by a way": {strings.Replace(o.Upload.URL, o.ID, "..", 1), content, 404},
	} {
		bad := o
		bad.Upload = &files.Upload{Method: http.MethodPut, URL: tc.url}
		if a := f.send(t, bad, tc.content); a.status != tc.status {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
	}
	if got := f.do(t, http.MethodGet, "/v1/files/"+o.ID, nil).file(t); got.Status != files.StatusPending {
		t.Errorf("it is %+v", got)
	}
	if a := f.send(t, o, content); a.status != 200 {
		t.Errorf("after all that: status %d: %s", a.status, a.body)
	}
}

func TestADeletedAnnouncementTakesNoUpload(t *testing.T) {
	t.Parallel()
	f := setup(t, objects.NewMemory(nil))
	o := f.announce(t, "x", "")
	if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil, "Authorization", "Bearer "+otherKey); a.status != 404 {
		t.Errorf("another tenant deletes: status %d", a.status)
	}
	if a := f.do(t, http.MethodDelete, "/v1/files/"+o.ID, nil); a.status != 200 {
		t.Errorf("delete: status %d", a.status)
	}
	if a := f.send(t, o, "x"); a.status != 404 || f.count(t) != 0 {
		t.Errorf("upload: status %d, and %d objects are left", a.status, f.count(t))
	}
}

func TestABadAnnouncement(t *testing.T) {
	t.Parallel()
	f := setup(t, objects.NewMemory(nil))
	for body, status := range map[string]int{
		`{`: 400, `[]`: 400, `{"filename":"a","x":1}`: 400, `{} {}`: 400,
		`{"purpose":"batch","bytes":1}`:                                              422,
		`{"filename":"a\u0000","purpose":"batch","bytes":1}`:                         422,
		`{"filename":"a","bytes":1}`:                                                 422,
		`{"filename":"a","purpose":"batch"}`:                                         422,
		`{"filename":"a","purpose":"batch","bytes":-1}`:                              422,
		`{"filename":"a","purpose":"batch","bytes":204801}`:                          413,
		`{"filename":"a","purpose":"batch","bytes":1,"sha256":"00"}`:                 422,
		`{"filename":"a","purpose":"batch","bytes":1,"expires_after":{"seconds":9}}`: 422,
	} {
		a := f.do(t, http.MethodPost, "/v1/files", strings.NewReader(body), "Content-Type", "application/json")
		if a.status != status {
			t.Errorf("%s: status %d: %s", body, a.status, a.body)
		}
	}
	if n := f.count(t); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}
