package files_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects/objectstest"
)

// What an answer behind API Gateway cannot hold, its caller gets from the store; what it can, from here.
func TestALargeFileIsHadFromTheStoreThatCanSendIt(t *testing.T) {
	t.Parallel()
	f := setup(t, stores()["s3"](t))
	f.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for size, direct := range map[int]bool{4 << 20: true, 4<<20 + 1: false} {
		content := objectstest.Random(1, size)
		file, err := attachments.PutFile(t.Context(), f.store, "search", attachments.File{
			ID: attachments.NewFileID(), Filename: "out.jsonl", Purpose: "batch_output",
		}, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		path := "/v1/files/" + file.ID + "/content"
		if head := f.do(t, http.MethodHead, path, nil); head.status != http.StatusOK {
			t.Errorf("HEAD of %d bytes is answered %d", size, head.status)
		}
		if other := f.do(t, http.MethodGet, path, nil, "Authorization", "Bearer "+otherKey); other.status != http.StatusNotFound {
			t.Errorf("another tenant is answered %d", other.status)
		}
		// A client follows, as those of OpenAI do.
		if got := f.do(t, http.MethodGet, path, nil); got.status != http.StatusOK || !bytes.Equal(got.body, content) {
			t.Errorf("%d bytes are answered %d with %d bytes", size, got.status, len(got.body))
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+searchKey)
		res, err := f.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		switch url := res.Header.Get("Location"); {
		case direct:
			if res.StatusCode != http.StatusOK || url != "" {
				t.Errorf("%d bytes are answered %d, %v", size, res.StatusCode, res.Header)
			}
		case res.StatusCode != http.StatusTemporaryRedirect || !strings.Contains(url, file.ID) || res.Header.Get("Cache-Control") != "no-store":
			t.Errorf("%d bytes are answered %d, %v", size, res.StatusCode, res.Header)
		}
	}
}
