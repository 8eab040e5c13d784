// Package objectstest is the conformance suite of object stores: what [objects.Store] promises, as tests.
package objectstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/objects"
)

// Harness is a store under test, empty or with objects of other tests.
type Harness struct {
	Store objects.Store
	// Alter changes the bytes of an object in the store, past it, and leaves what describes the object as it is.
	Alter func(t *testing.T, key string, change func([]byte) []byte)
	Whole bool // the store holds objects whole: nothing is said of its memory
}

// Run runs the suite. open is called once for each test.
func Run(t *testing.T, open func(*testing.T) Harness) {
	t.Helper()
	for _, tc := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"what is put is what is got", testRoundTrip},
		{"what describes an object comes back", testInfo},
		{"metadata may come with the content", testLateMetadata},
		{"what is not there is not found", testNotFound},
		{"what is past its time is not found", testExpired},
		{"a second put replaces the first", testReplace},
		{"a content that breaks leaves what was there", testBroken},
		{"a context that ends leaves nothing", testCanceled},
		{"a deleted object is gone, and may be deleted again", testDelete},
		{"an altered object does not end as a whole one", testAltered},
		{"a key that is none is refused", testBadKey},
		{"objects are listed by their prefix", testList},
		{"many at once", testConcurrent},
		{"a large object passes in pieces", testLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.run(t, open(t))
		})
	}
}

// prefix returns keys that no other test has.
func prefix(t *testing.T) string {
	t.Helper()
	sum := sha256.Sum256([]byte(t.Name()))
	return "parts/" + hex.EncodeToString(sum[:8])
}

func put(t *testing.T, s objects.Store, in objects.Info, content []byte) objects.Info {
	t.Helper()
	info, err := s.Put(t.Context(), in, bytes.NewReader(content))
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	return info
}

func get(t *testing.T, s objects.Store, key string) (objects.Info, []byte) {
	t.Helper()
	info, r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return info, content
}

func wantNotFound(t *testing.T, s objects.Store, key string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("stat: %v, want ErrNotFound", err)
	}
	if _, r, err := s.Get(t.Context(), key); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
		if err == nil {
			r.Close()
		}
	}
}

// Random returns bytes that are the same for the same seed and size.
func Random(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func testRoundTrip(t *testing.T, h Harness) {
	for i, size := range []int{0, 1, 131071, 131072, 131073, 3 << 20} {
		key := prefix(t) + "/" + string(rune('a'+i))
		want := Random(uint64(i), size)
		put(t, h.Store, objects.Info{Key: key}, want)
		if _, got := get(t, h.Store, key); !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d came back, or others", size, len(got))
		}
	}
}

func testInfo(t *testing.T, h Harness) {
	content := []byte("a picture")
	sum := sha256.Sum256(content)
	in := objects.Info{
		Key: prefix(t) + "/a", Type: "image/png; x=y", Expires: time.Now().Add(time.Hour).UTC().Round(time.Second),
		Metadata: map[string]string{"filename": "a%20b.png", "purpose": "vision"},
		Size:     77, Digest: "not looked at",
	}
	before := time.Now()
	info := put(t, h.Store, in, content)
	if info.Key != in.Key || info.Size != int64(len(content)) || info.Digest != hex.EncodeToString(sum[:]) ||
		info.Type != in.Type || !info.Expires.Equal(in.Expires) || !maps.Equal(info.Metadata, in.Metadata) {
		t.Errorf("put says %+v", info)
	}
	if age := info.Created.Sub(before); age < -2*time.Second || age > time.Minute {
		t.Errorf("it was created at %s, and put at %s", info.Created, before)
	}
	stat, err := h.Store.Stat(t.Context(), in.Key)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := get(t, h.Store, in.Key)
	for from, other := range map[string]objects.Info{"stat": stat, "get": got} {
		if other.Key != info.Key || other.Size != info.Size || other.Digest != info.Digest || other.Type != info.Type ||
			!other.Created.Equal(info.Created) || !other.Expires.Equal(info.Expires) || !maps.Equal(other.Metadata, info.Metadata) {
			t.Errorf("%s says %+v, want %+v", from, other, info)
		}
	}
}

// readerFunc is a content made by a function.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func testLateMetadata(t *testing.T, h Harness) {
	in := objects.Info{Key: prefix(t) + "/a", Metadata: map[string]string{}}
	content := bytes.NewReader(Random(1, 6<<20))
	info, err := h.Store.Put(t.Context(), in, readerFunc(func(p []byte) (int, error) {
		n, err := content.Read(p)
		if err != nil {
			in.Metadata["purpose"] = "batch"
		}
		return n, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := h.Store.Stat(t.Context(), in.Key)
	if err != nil || stat.Metadata["purpose"] != "batch" || info.Metadata["purpose"] != "batch" {
		t.Errorf("put says %v, stat %v, %v", info.Metadata, stat.Metadata, err)
	}
}

func testNotFound(t *testing.T, h Harness) { wantNotFound(t, h.Store, prefix(t)+"/none") }

func testExpired(t *testing.T, h Harness) {
	key := prefix(t) + "/a"
	put(t, h.Store, objects.Info{Key: key, Expires: time.Now().Add(-time.Second)}, []byte("x"))
	wantNotFound(t, h.Store, key)
	put(t, h.Store, objects.Info{Key: key, Expires: time.Now().Add(time.Hour)}, []byte("y"))
	if _, got := get(t, h.Store, key); string(got) != "y" {
		t.Errorf("got %q", got)
	}
}

func testReplace(t *testing.T, h Harness) {
	key := prefix(t) + "/a"
	put(t, h.Store, objects.Info{Key: key, Type: "text/plain", Metadata: map[string]string{"a": "b"}}, Random(1, 300<<10))
	put(t, h.Store, objects.Info{Key: key}, []byte("second"))
	info, got := get(t, h.Store, key)
	if string(got) != "second" || info.Type != "" || len(info.Metadata) != 0 {
		t.Errorf("got %q, %+v", got, info)
	}
}

func testBroken(t *testing.T, h Harness) {
	torn := errors.New("torn")
	for _, size := range []int{10, 7 << 20} {
		key := prefix(t) + "/a"
		if err := h.Store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		broken := func() io.Reader {
			return io.MultiReader(bytes.NewReader(Random(1, size)), readerFunc(func([]byte) (int, error) { return 0, torn }))
		}
		if _, err := h.Store.Put(t.Context(), objects.Info{Key: key}, broken()); !errors.Is(err, torn) {
			t.Errorf("put: %v, want %v", err, torn)
		}
		wantNotFound(t, h.Store, key)
		put(t, h.Store, objects.Info{Key: key}, []byte("whole"))
		if _, err := h.Store.Put(t.Context(), objects.Info{Key: key}, broken()); !errors.Is(err, torn) {
			t.Errorf("put: %v, want %v", err, torn)
		}
		if _, got := get(t, h.Store, key); string(got) != "whole" {
			t.Errorf("got %q", got)
		}
	}
}

func testCanceled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	key, content := prefix(t)+"/a", bytes.NewReader(Random(1, 4<<20))
	_, err := h.Store.Put(ctx, objects.Info{Key: key}, readerFunc(func(p []byte) (int, error) {
		cancel()
		return content.Read(p)
	}))
	if err == nil {
		t.Error("a put whose context ended succeeded")
	}
	wantNotFound(t, h.Store, key)
}

func testDelete(t *testing.T, h Harness) {
	key := prefix(t) + "/a"
	put(t, h.Store, objects.Info{Key: key}, []byte("x"))
	for range 2 {
		if err := h.Store.Delete(t.Context(), key); err != nil {
			t.Errorf("delete: %v", err)
		}
		wantNotFound(t, h.Store, key)
	}
}

func testAltered(t *testing.T, h Harness) {
	for name, change := range map[string]func([]byte) []byte{
		"a bit":      func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"the end":    func(b []byte) []byte { return b[:len(b)-1] },
		"everything": func([]byte) []byte { return nil },
		"more":       func(b []byte) []byte { return append(b, 'x') },
	} {
		key := prefix(t) + "/" + strings.ReplaceAll(name, " ", "-")
		put(t, h.Store, objects.Info{Key: key}, Random(1, 200<<10))
		h.Alter(t, key, change)
		_, r, err := h.Store.Get(t.Context(), key)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if !errors.Is(err, objects.ErrAltered) {
			t.Errorf("%s was changed, and it ended in %v, want ErrAltered", name, err)
		}
	}
}

func testBadKey(t *testing.T, h Harness) {
	for _, key := range []string{"", "/", "a//b", "/a", "a/", "a b", "a/../b", ".", "ü", "a*", strings.Repeat("a", 513)} {
		if _, err := h.Store.Put(t.Context(), objects.Info{Key: key}, strings.NewReader("x")); err == nil {
			t.Errorf("put under %q succeeded", key)
		}
		if _, err := h.Store.Stat(t.Context(), key); err == nil {
			t.Errorf("stat of %q succeeded", key)
		}
	}
}

func testList(t *testing.T, h Harness) {
	lister, ok := h.Store.(objects.Lister)
	if !ok {
		t.Skip("the store does not list")
	}
	under := strings.Replace(prefix(t), "parts/", "files/", 1)
	for _, name := range []string{"/a", "/b", "x/c"} {
		put(t, h.Store, objects.Info{Key: under + name}, []byte(name))
	}
	found, err := lister.List(t.Context(), under+"/")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, info := range found {
		sizes[info.Key] = info.Size
		if info.Created.IsZero() {
			t.Errorf("%s was created at no time", info.Key)
		}
	}
	if !maps.Equal(sizes, map[string]int64{under + "/a": 2, under + "/b": 2}) {
		t.Errorf("listed %v", sizes)
	}
}

func testConcurrent(t *testing.T, h Harness) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			key, want := prefix(t)+"/"+string(rune('a'+i)), Random(uint64(i), 300<<10)
			if _, err := h.Store.Put(t.Context(), objects.Info{Key: key}, bytes.NewReader(want)); err != nil {
				t.Errorf("put: %v", err)
				return
			}
			_, r, err := h.Store.Get(t.Context(), key)
			if err != nil {
				t.Errorf("get: %v", err)
				return
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
}

// large is that of the largest image that is promised to pass.
const large = 50 << 20

func testLarge(t *testing.T, h Harness) {
	key := prefix(t) + "/a"
	content := io.LimitReader(rand.NewChaCha8([32]byte{1}), large)
	info, err := h.Store.Put(t.Context(), objects.Info{Key: key}, content)
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := h.Store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sum := sha256.New()
	if n, err := io.Copy(sum, r); n != large || err != nil || hex.EncodeToString(sum.Sum(nil)) != info.Digest {
		t.Errorf("read %d bytes, %v", n, err)
	}
}
