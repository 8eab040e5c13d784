package attachments_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limits of the tests. A string is long from 512 bytes on, in which a data URL must come to its data.
var limits = attachments.Limits{Inline: 512, Part: 4 << 10, Body: 8 << 10}

// pattern returns bytes of every value.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func dataURL(typ string, content []byte) string {
	return "data:" + typ + ";base64," + base64.StdEncoding.EncodeToString(content)
}

func imageBody(url string) string {
	return `{"model_id":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + url + `"}}]}]}`
}

func reference(n int, typ string, content []byte) string {
	sum := sha256.Sum256(content)
	return attachments.Reference{N: n, Type: typ, Bytes: int64(len(content)), Digest: hex.EncodeToString(sum[:])}.String()
}

func take(t *testing.T, store objects.Store, body string) (attachments.Taken, error) {
	t.Helper()
	return attachments.Take(t.Context(), store, iotestHalf(strings.NewReader(body)), limits, time.Now().Add(time.Hour))
}

// iotestHalf returns a reader that hands out a little at a time, so that every state is met at the end of what there is.
func iotestHalf(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) { return r.Read(p[:min(len(p), 7)]) })
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func content(t *testing.T, store objects.Store, key string) []byte {
	t.Helper()
	_, r, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// count returns how many objects there are.
func count(t *testing.T, store *objects.Memory) int {
	t.Helper()
	all, err := store.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// away is a store that cannot be reached.
type away struct{ objects.Store }

var errAway = errors.New("no route to the store")

func (away) Put(context.Context, objects.Info, io.Reader) (objects.Info, error) {
	return objects.Info{}, errAway
}

func (away) Get(context.Context, string) (objects.Info, io.ReadCloser, error) {
	return objects.Info{}, nil, errAway
}
func (away) Stat(context.Context, string) (objects.Info, error) { return objects.Info{}, errAway }
func (away) Delete(context.Context, string) error               { return errAway }
