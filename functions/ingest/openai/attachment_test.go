package openai_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/chain"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

// requested takes what waits for schedule off the bus.
func (w *world) requested(t *testing.T) (all []events.Event) {
	t.Helper()
	done, cancel := context.WithCancel(t.Context())
	cancel() // Receive hands out what is there and does not wait for more
	err := w.bus.Receive(done, events.Lane{Hop: events.Schedule, Priority: events.Normal}, 100, func(d hop.Delivery) {
		all = append(all, d.Event)
	})
	must(t, err)
	return all
}

func TestALargeImageTravelsByReference(t *testing.T) {
	t.Parallel()
	image := base64.StdEncoding.EncodeToString(make([]byte, 300<<10))
	for name, body := range map[string]string{
		"/v1/chat/completions": `{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]}`,
		"/v1/responses":        `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,%s"}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := objects.NewMemory(time.Now)
			w := setup(t, true, func(c *chain.Config) { c.Objects = store })
			if a := w.post(t, name, fmt.Sprintf(body, image), "X-Stainless-Timeout", "0.1"); a.status != 504 {
				t.Fatalf("answered %d %s", a.status, a.body)
			}
			all := w.requested(t)
			if len(all) != 1 || all[0].Parts != 1 || !strings.Contains(string(all[0].Data), `"image_url":{"url":"baton-part:0;type=image/png;bytes=307200;`) {
				t.Fatalf("requested %+v", all)
			}
			if in, err := store.Stat(t.Context(), "parts/"+all[0].PartsID+"/0"); err != nil || in.Size != 300<<10 {
				t.Errorf("stored %+v, %v", in, err)
			}
		})
	}
	t.Run("and is not left behind by a request that is refused", func(t *testing.T) {
		t.Parallel()
		store := objects.NewMemory(time.Now)
		w := setup(t, true, func(c *chain.Config) { c.Objects = recorder{store, t} })
		for _, path := range []string{"/v1/responses", "/v1/chat/completions"} {
			body := `{"model":"gpt-4o","previous_response_id":"r","temperature":7,"input":[{"content":[{"image_url":"data:image/png;base64,` + image + `"}]}],` +
				`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `"}}]}]}`
			if a := w.post(t, path, body); a.status != 400 {
				t.Fatalf("answered %d %s", a.status, a.body)
			}
		}
	})
}

// recorder sees that all that is put is deleted.
type recorder struct {
	objects.Store

	t *testing.T
}

func (r recorder) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	r.t.Cleanup(func() {
		if _, err := r.Stat(context.Background(), in.Key); err == nil {
			r.t.Errorf("%s is left behind", in.Key)
		}
	})
	return r.Store.Put(ctx, in, content)
}
