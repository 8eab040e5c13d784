package natsobjects_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/natsobjects"
	"baton.dev/baton/internal/objects/objectstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) (jetstream.JetStream, *natsobjects.Store) {
	t.Helper()
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := natsobjects.New(t.Context(), js, natsobjects.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return js, s
}

// chunkSubject returns where the chunks of the object are, as NATS's own client says.
func chunkSubject(t *testing.T, js jetstream.JetStream, key string) string {
	t.Helper()
	bucket, err := js.ObjectStore(t.Context(), "BATON_PARTS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := bucket.GetInfo(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return "$O.BATON_PARTS.C." + info.NUID
}

// alter stores other chunks in the place of the object's.
func alter(t *testing.T, js jetstream.JetStream, s *natsobjects.Store, key string, change func([]byte) []byte) {
	t.Helper()
	_, r, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "OBJ_BATON_PARTS")
	if err != nil {
		t.Fatal(err)
	}
	subject := chunkSubject(t, js, key)
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(subject)); err != nil {
		t.Fatal(err)
	}
	for content = change(content); len(content) > 0; {
		n := min(len(content), 128<<10)
		if _, err := js.Publish(t.Context(), subject, content[:n]); err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	js, s := setup(t)
	objectstest.Run(t, func(*testing.T) objectstest.Harness {
		return objectstest.Harness{Store: s, Alter: func(t *testing.T, key string, change func([]byte) []byte) {
			alter(t, js, s, key, change)
		}}
	})
}

func TestAnObjectIsOneThatNATSsOwnClientReads(t *testing.T) {
	t.Parallel()
	js, s := setup(t)
	want := objectstest.Random(1, 300<<10)
	if _, err := s.Put(t.Context(), objects.Info{Key: "parts/a/0"}, bytes.NewReader(want)); err != nil {
		t.Fatal(err)
	}
	bucket, err := js.ObjectStore(t.Context(), "BATON_PARTS")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bucket.GetBytes(t.Context(), "parts/a/0"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestNothingIsLeftOfWhatIsDeletedReplacedOrBroken(t *testing.T) {
	t.Parallel()
	js, s := setup(t)
	in := objects.Info{Key: "parts/a/0"}
	for range 2 {
		if _, err := s.Put(t.Context(), in, bytes.NewReader(objectstest.Random(1, 300<<10))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), in, io.MultiReader(bytes.NewReader(objectstest.Random(1, 3<<20)), torn{})); err == nil {
		t.Fatal("a torn content was stored")
	}
	if err := s.Delete(t.Context(), in.Key); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "OBJ_BATON_PARTS")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestASecondProcessFindsTheBucketsMade(t *testing.T) {
	t.Parallel()
	js, s := setup(t)
	if _, err := natsobjects.New(t.Context(), js, natsobjects.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), objects.Info{Key: "files/t/file-a"}, bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	other, err := natsobjects.Open(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := other.Stat(t.Context(), "files/t/file-a"); err != nil || info.Size != 1 {
		t.Errorf("stat: %+v, %v", info, err)
	}
}

func TestAListAsksForNoMoreThanItsPrefix(t *testing.T) {
	t.Parallel()
	js, s := setup(t)
	for _, key := range []string{"files/a/file-1", "files/a.b/file-2", "files/ab/file-3", "files/b/file-4", "uploads/file-5"} {
		if _, err := s.Put(t.Context(), objects.Info{Key: key}, bytes.NewReader([]byte(key))); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"files/a/":   {"files/a/file-1"},
		"files/a.b/": {"files/a.b/file-2"},
		"files/a":    {"files/a.b/file-2", "files/a/file-1", "files/ab/file-3"},
		"uploads/":   {"uploads/file-5"},
		"files/c/":   nil,
	} {
		found, err := s.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, info := range found {
			keys = append(keys, info.Key)
		}
		slices.Sort(keys)
		if !slices.Equal(keys, want) {
			t.Errorf("under %q are %q, want %q", prefix, keys, want)
		}
	}
	// The server is asked for what is the tenant's alone.
	stream, err := js.Stream(t.Context(), "OBJ_BATON_FILES")
	if err != nil {
		t.Fatal(err)
	}
	word := base64.RawURLEncoding.EncodeToString
	subject := "$O.BATON_FILES.I." + word([]byte("files")) + "." + word([]byte("a")) + ".>"
	if is, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(subject)); err != nil || len(is.State.Subjects) != 1 {
		t.Errorf("under %s: %v, %v", subject, is, err)
	}
	for _, key := range []string{"files/a/file-1", "files/a.b/file-2", "files/ab/file-3", "files/b/file-4", "uploads/file-5"} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := stream.Info(t.Context()); err != nil || is.State.Msgs != 0 {
		t.Errorf("after all is deleted: %v, %v", is, err)
	}
}

func TestAFullBucketTakesNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := natsobjects.New(t.Context(), js, natsobjects.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"parts/a/0", "files/t/file-a"} {
		if _, err := s.Put(t.Context(), objects.Info{Key: key}, bytes.NewReader(objectstest.Random(1, 600<<10))); err != nil {
			t.Fatal(err)
		}
		other := key + "1"
		_, err := s.Put(t.Context(), objects.Info{Key: other}, bytes.NewReader(objectstest.Random(2, 600<<10)))
		if !errors.Is(err, objects.ErrFull) {
			t.Errorf("put: %v, want %v", err, objects.ErrFull)
		}
		if _, err := s.Stat(t.Context(), other); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("stat: %v", err)
		}
		if _, err := s.Put(t.Context(), objects.Info{Key: other}, bytes.NewReader(objectstest.Random(2, 200<<10))); err != nil {
			t.Errorf("what there is room for: %v", err) // nothing is left of what there was none for
		}
	}
}
