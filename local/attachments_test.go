package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	bigPicture = 50 << 20
	mostMemory = 256 // MiB that the process may ever have, with the embedded JetStream

	// What JetStream has read and written lately stays in memory until the garbage collector wants it, some seconds at most. Of
	// several pictures at once that is more than what they need, unless the collector is told what it may take.
	memoryLimit = "GOMEMLIMIT=176MiB"
)

// pass sends a picture in one of the ways, and checks that the model got it whole and that its caller is told so.
func (g *gallery) pass(ctx context.Context, p picture, native, uploaded bool) error {
	url := p.dataURL()
	if uploaded {
		name, err := g.upload(ctx, p)
		if err != nil {
			return err
		}
		url = strings.NewReader(name)
	}
	status, answer, err := g.post(ctx, path(native), "application/json", g.body(native, uuid.NewString(), url))
	if err != nil {
		return err
	}
	if native {
		if status != http.StatusAccepted {
			return fmt.Errorf("answered %d %s", status, answer)
		}
		return nil
	}
	if status != http.StatusOK || !strings.Contains(string(answer), p.digest()) {
		return fmt.Errorf("answered %d %s", status, answer)
	}
	return nil
}

// TestALargePicturePassesThroughAProcess is of a real process, whose memory is bounded while pictures of 50 MiB pass.
func TestALargePicturePassesThroughAProcess(t *testing.T) {
	t.Parallel()
	type way struct{ native, uploaded bool }
	for name, ways := range map[string][]way{
		"native, inline":   {{true, false}},
		"native, uploaded": {{true, true}},
		"OpenAI, inline":   {{false, false}},
		"OpenAI, uploaded": {{false, true}},
		"four at once":     {{true, false}, {true, true}, {false, false}, {false, true}},
		"four inline":      {{true, false}, {true, false}, {false, false}, {false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
			defer cancel()
			var env []string
			if len(ways) > 1 {
				env = append(env, memoryLimit)
			}
			g := newGallery(t, 16, "", env...)
			before, began := g.peak(), time.Now()
			var sending sync.WaitGroup
			callbacks := map[string]bool{}
			for i, w := range ways {
				p := picture{byte(i + 1), bigPicture}
				if w.native {
					callbacks[p.digest()] = true
				}
				sending.Go(func() {
					if err := g.pass(ctx, p, w.native, w.uploaded); err != nil {
						t.Errorf("picture %d: %v", i, err)
					}
				})
			}
			sending.Wait()
			for range len(callbacks) {
				if b := g.delivered(ctx); b.Status != "completed" || !callbacks[b.Output] {
					t.Errorf("delivered %+v", b)
				}
			}
			for i := range ways {
				if times, partial := g.whole(picture{byte(i + 1), bigPicture}.digest()); times != 1 || partial != 0 {
					t.Errorf("picture %d came whole %d times, and something came in part %d times", i, times, partial)
				}
			}
			g.until(ctx, "nothing is left of the requests", func() bool { return g.kept(ctx) == 0 })
			t.Logf("%d of 50 MiB in %v: peak memory %d MiB, %d MiB before", len(ways), time.Since(began).Round(time.Millisecond), g.peak(), before)
			if g.peak() >= mostMemory {
				t.Errorf("peak memory %d MiB, want less than %d", g.peak(), mostMemory)
			}
		})
	}
}

// TestLongTextsTravelByReference is of requests that are larger than a message of the bus.
func TestLongTextsTravelByReference(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	g := newGallery(t, 1, "limits: {body: 4MiB}\n")
	before := g.peak()
	g.occupy(ctx)
	text := strings.Repeat("It was a dark and stormy night; ", 3<<20/32)
	sum := digestOf(strings.NewReader(text))
	var sending sync.WaitGroup
	for range 2 {
		sending.Go(func() {
			body := fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}]}`, text)
			if status, answer, err := g.post(ctx, path(false), "application/json", strings.NewReader(body)); err != nil || status != http.StatusOK ||
				!strings.Contains(string(answer), sum) {
				t.Errorf("answered %d %s, %v", status, answer, err)
			}
		})
		body := fmt.Sprintf(`{"model_id":"m","callback_url":"%s/done","prompt":%q}`, g.receiver.URL, text)
		if status, answer, err := g.post(ctx, path(true), "application/json", strings.NewReader(body)); err != nil || status != http.StatusAccepted {
			t.Fatalf("answered %d %s, %v", status, answer, err)
		}
	}
	g.until(ctx, "the requests are kept", func() bool { return g.objects(ctx) == 4 })
	close(g.hold)
	for range 2 {
		if b := g.delivered(ctx); b.Status != "completed" || b.Output != sum {
			t.Errorf("delivered %+v", b)
		}
	}
	sending.Wait()
	if times, partial := g.whole(sum); times != 4 || partial != 0 {
		t.Errorf("the text came %d times, and in part %d times", times, partial)
	}
	g.until(ctx, "nothing is left of the requests", func() bool { return g.kept(ctx) == 0 })
	t.Logf("4 of 3 MiB: peak memory %d MiB, %d MiB before", g.peak(), before)
	if g.peak() >= mostMemory {
		t.Errorf("peak memory %d MiB", g.peak())
	}
}

// occupy makes the model busy until it is let go.
func (g *gallery) occupy(ctx context.Context) {
	g.t.Helper()
	body := fmt.Sprintf(`{"model_id":"m","prompt":%q}`, holdOn)
	if status, answer, err := g.post(ctx, path(true), "application/json", strings.NewReader(body)); err != nil || status != http.StatusAccepted {
		g.t.Fatalf("answered %d %s, %v", status, answer, err)
	}
}

// spoil is something that happens to what is kept of a request that waits.
type spoil struct {
	code string
	do   func(ctx context.Context, g *gallery)
}

// spoils returns what may happen, by its name.
func spoils() map[string]spoil {
	return map[string]spoil{
		"missing": {"data_missing", func(ctx context.Context, g *gallery) {
			if err := g.parts.Purge(ctx); err != nil {
				g.t.Fatal(err)
			}
		}},
		"missing in part": {"data_altered", func(ctx context.Context, g *gallery) {
			if err := g.parts.DeleteMsg(ctx, g.last(ctx, chunks).Sequence); err != nil {
				g.t.Fatal(err)
			}
		}},
		"expired": {"data_missing", func(ctx context.Context, g *gallery) {
			g.replace(ctx, g.last(ctx, describing), func(m *nats.Msg) { m.Header.Set(jetstream.MsgTTLHeader, "1s") })
			g.until(ctx, "it expires", func() bool { return g.objects(ctx) == 0 })
		}},
		"altered": {"data_altered", func(ctx context.Context, g *gallery) {
			g.replace(ctx, g.last(ctx, chunks), func(m *nats.Msg) { m.Data[len(m.Data)/2] ^= 1 })
		}},
	}
}

// TestAPictureThatIsNotAsItWasFailsItsRequest spoils what is kept of a request before the model is called: its caller is told,
// and the model gets no request that looks like one.
func TestAPictureThatIsNotAsItWasFailsItsRequest(t *testing.T) {
	t.Parallel()
	for name, s := range spoils() {
		for _, native := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, at %s", name, path(native)), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
				defer cancel()
				g := newGallery(t, 1, "")
				g.occupy(ctx)
				p := picture{7, 5 << 20}
				type said struct {
					status int
					body   []byte
				}
				answers := make(chan said, 1)
				go func() {
					status, body, err := g.post(ctx, path(native), "application/json", g.body(native, uuid.NewString(), p.dataURL()))
					if err != nil {
						t.Error(err)
					}
					answers <- said{status, body}
				}()
				g.until(ctx, "the picture is kept", func() bool { return g.objects(ctx) == 1 })
				s.do(ctx, g)
				close(g.hold)
				answer := <-answers
				if native {
					if b := g.delivered(ctx); answer.status != http.StatusAccepted || b.Status != "failed" || b.Error.Code != s.code {
						t.Errorf("answered %d %s, delivered %+v", answer.status, answer.body, b)
					}
				} else {
					var e struct {
						Error struct{ Code, Message string }
					}
					if err := json.Unmarshal(answer.body, &e); err != nil || answer.status != http.StatusBadRequest || e.Error.Code != s.code || e.Error.Message == "" {
						t.Errorf("answered %d %s", answer.status, answer.body)
					}
				}
				g.mu.Lock()
				for digest := range g.seen {
					if digest != digestOf(strings.NewReader(holdOn)) {
						t.Error("the model got a request that is whole")
					}
				}
				g.mu.Unlock()
				t.Logf("left: %d messages, each with an expiry", g.checkExpiry(ctx))
			})
		}
	}
}

// checkOnce waits for the one result of a picture, and checks that the model got it once.
func (g *gallery) checkOnce(ctx context.Context, p picture) {
	g.t.Helper()
	b := g.delivered(ctx)
	if times, _ := g.whole(p.digest()); b.Status != "completed" || b.Output != p.digest() || times != 1 {
		g.t.Errorf("the model got it %d times, and delivered is %+v", times, b)
	}
}

// TestAKilledProcessLosesNoPicture kills the process while a picture comes in, and while one goes out.
func TestAKilledProcessLosesNoPicture(t *testing.T) {
	t.Parallel()
	t.Run("while one comes in", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
		defer cancel()
		g := newGallery(t, 16, "")
		p, id := picture{3, bigPicture}, uuid.NewString()
		half, rest := io.Pipe()
		go func() { _, _ = io.CopyN(rest, p.dataURL(), bigPicture/2) }() // and no more comes
		defer half.Close()
		cut := make(chan error, 1)
		go func() {
			status, answer, err := g.post(ctx, path(true), "application/json", g.body(true, id, half))
			if err == nil {
				err = fmt.Errorf("answered %d %s", status, answer)
			}
			cut <- err
		}()
		g.until(ctx, "a good part of it is kept", func() bool { return g.kept(ctx) > 100 })
		g.process.kill()
		t.Logf("its caller got: %v", <-cut)
		g.up()
		left := g.checkExpiry(ctx)
		status, answer, err := g.post(ctx, path(true), "application/json", g.body(true, id, p.dataURL()))
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("sent again, it is answered %d %s, %v", status, answer, err)
		}
		g.checkOnce(ctx, p)
		t.Logf("%d messages are left of the first, each with an expiry", left)
		g.until(ctx, "nothing is left of the second", func() bool { return g.kept(ctx) <= uint64(left) })
	})
	t.Run("while one goes out", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
		defer cancel()
		g := newGallery(t, 16, "")
		began, once := make(chan struct{}), sync.Once{}
		g.halfway = func() {
			first := false
			once.Do(func() { first = true })
			if first {
				close(began)
				<-g.hold
			}
		}
		p := picture{4, bigPicture}
		status, answer, err := g.post(ctx, path(true), "application/json", g.body(true, uuid.NewString(), p.dataURL()))
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("answered %d %s, %v", status, answer, err)
		}
		<-began
		g.process.kill()
		close(g.hold)
		g.up()
		g.checkExpiry(ctx)
		g.checkOnce(ctx, p)
		if _, partial := g.whole(p.digest()); partial == 0 {
			t.Error("the first call was not cut")
		}
		g.until(ctx, "nothing is left of the request", func() bool { return g.kept(ctx) == 0 })
	})
}
