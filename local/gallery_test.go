package local_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/webhook"
)

// gallery is a model server that looks at pictures, a receiver of what it said of them, and a chain between, which is a real
// process.
type gallery struct {
	t            *testing.T
	url, natsURL string // of the chain
	key          string
	args, env    []string
	process      *processUnderTest
	js           jetstream.JetStream
	parts        jetstream.Stream // what the chain keeps of requests

	models, receiver *httptest.Server
	results          chan callbackBody // what was delivered
	verifier         *webhook.Verifier

	mu      sync.Mutex
	seen    map[string]int // what came in requests that came whole, by its digest
	partial int            // requests that did not
	halfway func()         // is called within each picture; nil: nothing is
	hold    chan struct{}  // is waited for by requests that say so
}

// holdOn is the prompt of a request that the model does not answer until it is let go.
const holdOn = "Hold on until you are let go."

// newGallery starts a chain whose model is called by so many requests at once. more is added to the configuration, and env to
// the environment of its process.
func newGallery(t *testing.T, concurrency int, more string, env ...string) *gallery {
	t.Helper()
	g := &gallery{t: t, results: make(chan callbackBody, 64), seen: map[string]int{}, hold: make(chan struct{}), env: append(os.Environ(), env...)}
	g.models = httptest.NewServer(http.HandlerFunc(g.look))
	g.receiver = httptest.NewServer(http.HandlerFunc(g.receive))
	t.Cleanup(g.models.Close)
	t.Cleanup(g.receiver.Close)
	dir := t.TempDir()
	config, key, secret := writeConfig(t, dir,
		fmt.Sprintf("{name: gallery, api: openai, url: %s/v1, timeout: 2m, concurrency: %d}", g.models.URL, concurrency))
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, append(text, more...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if g.verifier, err = webhook.NewVerifier([]string{secret}); err != nil {
		t.Fatal(err)
	}
	front, bus := freeAddress(t), freeAddress(t)
	g.key, g.url, g.natsURL = key, "http://"+front, "nats://"+bus
	g.args = []string{"up", "--listen", front, "--nats-listen", bus, "--config", config, "--data", filepath.Join(dir, "data")}
	g.up()
	return g
}

func (g *gallery) up() {
	g.t.Helper()
	g.process = start(g.t, build(g.t, "baton"), g.env, "baton is up", g.args...)
	nc, err := nats.Connect(g.natsURL)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	if g.js, err = jetstream.New(nc); err != nil {
		g.t.Fatal(err)
	}
	if g.parts, err = g.js.Stream(g.t.Context(), "OBJ_BATON_PARTS"); err != nil {
		g.t.Fatal(err)
	}
}

// peak returns the most memory that the process has had, in MiB.
func (g *gallery) peak() int {
	g.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		g.t.Fatal(err)
	}
	return kib >> 10
}

// look is the model server. It reads a request as it comes, and answers with the digest of what is in it.
func (g *gallery) look(w http.ResponseWriter, r *http.Request) {
	digest, holds, err := g.digest(r.Body)
	if holds {
		select {
		case <-g.hold:
		case <-r.Context().Done():
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.partial++
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.seen[digest]++
	_, _ = fmt.Fprintf(w, `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`, digest)
}

// digest returns the digest of the longest string of a request, and of what it is the base64 of if it is a data URL. Its error
// says that the request did not come whole.
func (g *gallery) digest(from io.Reader) (digest string, holds bool, _ error) {
	body := bufio.NewReader(from)
	longest := int64(0)
	for {
		around, err := body.ReadString('"')
		if errors.Is(err, io.EOF) && strings.HasSuffix(strings.TrimSpace(around), "}") {
			return digest, holds, nil
		}
		if err != nil {
			return "", false, err
		}
		text := io.Reader(&stringReader{from: body})
		begins, _ := body.Peek(len(holdOn))
		holds = holds || string(begins) == holdOn
		if strings.HasPrefix(string(begins), "data:") {
			if _, err := body.ReadString(','); err != nil {
				return "", false, err
			}
			text = base64.NewDecoder(base64.StdEncoding, text)
		}
		sum := sha256.New()
		n, err := io.CopyN(sum, text, 1<<20)
		if err == nil {
			if g.halfway != nil {
				g.halfway()
			}
			var more int64
			more, err = io.Copy(sum, text)
			n += more
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
		if err != nil {
			return "", false, err
		}
		if n > longest {
			longest, digest = n, hex.EncodeToString(sum.Sum(nil))
		}
	}
}

// stringReader reads a JSON string without escapes, up to and with the quote at its end.
type stringReader struct {
	from *bufio.Reader
	over bool
}

func (s *stringReader) Read(p []byte) (int, error) {
	if s.over {
		return 0, io.EOF
	}
	if _, err := s.from.Peek(1); err != nil {
		return 0, errors.Join(io.ErrUnexpectedEOF, err)
	}
	b, _ := s.from.Peek(min(len(p), s.from.Buffered()))
	n := bytes.IndexByte(b, '"')
	if s.over = n >= 0; !s.over {
		n = len(b)
	}
	copy(p, b[:n])
	_, _ = s.from.Discard(n)
	if s.over {
		_, _ = s.from.Discard(1)
	}
	return n, nil
}

func (g *gallery) receive(_ http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	var b callbackBody
	if err := errors.Join(g.verifier.Verify(r.Header, text, time.Now()), json.Unmarshal(text, &b)); err != nil {
		g.t.Errorf("a callback is %s: %v", text, err)
	}
	g.results <- b
}

// picture is an image of so many bytes, another for each seed, without any of it in memory.
type picture struct {
	seed byte
	size int64
}

func (p picture) read() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{p.seed}), p.size) }

func (p picture) digest() string { return digestOf(p.read()) }

func digestOf(r io.Reader) string {
	sum := sha256.New()
	_, _ = io.Copy(sum, r)
	return hex.EncodeToString(sum.Sum(nil))
}

// dataURL returns the picture in a string of JSON, without the quotes.
func (p picture) dataURL() io.Reader {
	r, w := io.Pipe()
	go func() {
		enc := base64.NewEncoder(base64.StdEncoding, w)
		_, err := io.Copy(enc, p.read())
		_ = w.CloseWithError(errors.Join(err, enc.Close())) // nil is the end
	}()
	return io.MultiReader(strings.NewReader("data:image/png;base64,"), r)
}

// body returns a request for the OpenAI front or the native one with what its one image is.
func (g *gallery) body(native bool, id string, url io.Reader) io.Reader {
	head := `{"model":"m"`
	if native {
		head = fmt.Sprintf(`{"model_id":"m","request_id":%q,"callback_url":"%s/done"`, id, g.receiver.URL)
	}
	return io.MultiReader(
		strings.NewReader(head+`,"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"`),
		url, strings.NewReader(`"}}]}]}`))
}

// path is where a request goes.
func path(native bool) string {
	if native {
		return "/v1/inferences"
	}
	return "/v1/chat/completions"
}

// post sends a request and returns the answer.
func (g *gallery) post(ctx context.Context, path, typ string, body io.Reader) (status int, answer []byte, _ error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("Content-Type", typ)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// upload puts the picture into a file, and returns what names it as an image.
func (g *gallery) upload(ctx context.Context, p picture) (name string, _ error) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		err := form.WriteField("purpose", "vision")
		part, errPart := form.CreateFormFile("file", "picture.png")
		if err = errors.Join(err, errPart); err == nil {
			_, err = io.Copy(part, p.read())
		}
		_ = w.CloseWithError(errors.Join(err, form.Close()))
	}()
	status, answer, err := g.post(ctx, "/v1/files", form.FormDataContentType(), r)
	var file struct {
		ID    string
		Bytes int64
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(answer, &file) != nil || file.Bytes != p.size {
		return "", fmt.Errorf("upload: %d %s, %w", status, answer, err)
	}
	return "baton-file:" + file.ID, nil
}

// kept returns how many messages the bucket of parts has.
func (g *gallery) kept(ctx context.Context) uint64 {
	g.t.Helper()
	info, err := g.parts.Info(ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	return info.State.Msgs
}

// until waits until something is so.
func (g *gallery) until(ctx context.Context, what string, so func() bool) {
	g.t.Helper()
	for !so() {
		pause(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			g.t.Fatalf("it does not come to this: %s", what)
		}
	}
}

// delivered returns the next result.
func (g *gallery) delivered(ctx context.Context) callbackBody {
	g.t.Helper()
	select {
	case b := <-g.results:
		return b
	case <-ctx.Done():
		g.t.Fatal("no result is delivered in time")
		return callbackBody{}
	}
}

// whole returns how often a picture came whole, and how many requests did not come whole.
func (g *gallery) whole(digest string) (times, partial int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[digest], g.partial
}
