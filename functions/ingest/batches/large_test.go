package batches_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest/batches"
)

// observed calls looked before the first read and after the last.
type observed struct {
	io.Reader

	begun  bool
	looked func(end bool)
}

func (o *observed) Read(p []byte) (int, error) {
	if !o.begun {
		o.begun = true
		o.looked(false)
	}
	n, err := o.Reader.Read(p[:min(len(p), 512)])
	if err != nil {
		o.looked(true)
	}
	return n, err
}

// TestAnswersAreReadAsTheyAreWritten holds a step to having one answer in memory: they are read from the results store one after
// the other while the object is written.
func TestAnswersAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		const n = 200
		b := w.create(requests(n))
		var gets []int64
		w.store.during = func(key string, content io.Reader) io.Reader {
			if !strings.HasSuffix(key, b.ID+"/out/0") {
				return content
			}
			return &observed{Reader: content, looked: func(bool) { gets = append(gets, w.store.cells.gets.Load()) }}
		}
		w.checkWhole(w.finish(b.ID, time.Hour), n)
		if len(gets) != 2 || gets[1]-gets[0] < n {
			t.Errorf("cells read at the start and at the end: %v", gets)
		}
	})
}

func TestALineWithALargePartIsTheSameRequestAsTheCallByItself(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		body := func(bytes int) string {
			return fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},`+
				`{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`, base64.StdEncoding.EncodeToString(make([]byte, bytes)))
		}
		line := func(id, body string) string {
			return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/chat/completions","body":%s}`+"\n", id, body)
		}
		if status, answer := w.call(http.MethodPost, "/v1/chat/completions", body(1<<20), nil); status != http.StatusOK {
			t.Fatalf("by itself: %d %s", status, answer)
		}
		b := w.finish(w.create(line("image", body(1<<20))+line("text", strings.Replace(body(1), "what is it?", strings.Repeat("x", 300<<10), 1))).ID, time.Hour)
		if b.Status != batches.Completed || b.Counts != (batches.Counts{Total: 2, Completed: 1, Failed: 1}) {
			t.Fatalf("it came to %+v", b)
		}
		if calls, prompts := w.calls(); calls != 2 || prompts != 1 {
			t.Errorf("%d calls with %d prompts", calls, prompts)
		}
		if errs := w.lines(b.ErrorFileID); errs[0].CustomID != "text" || errs[0].Response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("what is too long is told as %+v", errs[0])
		}
		left, err := w.store.List(t.Context(), "parts/")
		if err != nil || len(left) != 0 {
			t.Errorf("%d parts are left, %v", len(left), err)
		}
	})
}

func TestPartsOfALineThatIsRefusedAreRemoved(t *testing.T) {
	t.Parallel()
	inWorld(t, func(t *testing.T, w *world) {
		image := `{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
			base64.StdEncoding.EncodeToString(make([]byte, 100<<10)) + `"}}]}`
		line := `{"custom_id":"%s","method":"POST","url":"/v1/chat/completions","body":{"model":%q,"messages":[%s]%s}}` + "\n"
		b := w.create(fmt.Sprintf(line, "model", "nobody", image, "") + fmt.Sprintf(line, "stream", "m", image, `,"stream":true`))
		if b = w.finish(b.ID, time.Hour); b.Status != batches.Completed || b.Counts.Failed != 2 {
			t.Fatalf("it came to %+v", b)
		}
		left, err := w.store.List(t.Context(), "parts/")
		if err != nil || len(left) != 0 {
			t.Errorf("%d parts are left, %v", len(left), err)
		}
	})
}
