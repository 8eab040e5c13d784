package natsobjects_test

import (
	"bytes"
	"io"
	"os"
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
