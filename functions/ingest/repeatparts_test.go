package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/results"
)

// identified returns a request with an image under one id, and so much text beside it.
func identified(text int) string {
	return pictured(noise(1, 4<<10), `"request_id":"`+someID+`","parameters":{"x":"`+strings.Repeat("y", text)+`"},`)
}

// forgetful publishes everything it is given, as a transport does that has forgotten which events it had.
func forgetful(into *[]events.Event) option {
	return func(c *ingest.Config) {
		c.Publisher = publisherFunc(func(_ context.Context, out ...events.Event) error {
			*into = append(*into, out...)
			return nil
		})
	}
}

func TestRepeatsOfAQueuedRequestReferToWhatTheFirstKeeps(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text, objects int
	}{"a part": {0, 1}, "a part, and a request larger than an event": {10 << 10, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var published []events.Event
			store := objects.NewMemory(nil)
			f := setup(t, withObjects(store), forgetful(&published))
			for range 5 {
				f.accepted(t, identified(tc.text))
			}
			first := published[0]
			for _, e := range published[1:] {
				if e.PartsID != first.PartsID || e.Parts != tc.objects || e.DataRef != first.DataRef || e.DataDigest != first.DataDigest ||
					e.RequestID != first.RequestID || !bytes.Equal(e.Data, first.Data) || !e.Expiry.Equal(first.Expiry) {
					t.Errorf("published %+v\nfirst %+v", e, first)
				}
			}
			if n := len(kept(t, store)); n != tc.objects {
				t.Errorf("%d objects are kept, want %d", n, tc.objects)
			}
		})
	}
}

// Whitespace is not in the digest, but it is in what an event weighs.
func TestARepeatMayBeLargeWhereTheFirstWasNot(t *testing.T) {
	t.Parallel()
	var published []events.Event
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store), forgetful(&published))
	short := identified(0)
	long := strings.Replace(short, `,"messages"`, strings.Repeat(" ", 10<<10)+`,"messages"`, 1)
	for _, body := range []string{short, long, short} {
		f.accepted(t, body)
	}
	if n := len(kept(t, store)); n != 2 {
		t.Errorf("%d objects are kept, want the image and the long request", n)
	}
	for i, e := range published {
		handle := attachments.Resolve(store, func(_ context.Context, in events.Event) ([]events.Event, error) {
			if in.ErrorCode != "" || len(in.Data) == 0 || in.PartsID != published[0].PartsID {
				t.Errorf("event %d has %s, and %d bytes", i, in.ErrorCode, len(in.Data))
			}
			return nil, nil
		})
		if _, err := handle(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
}

func TestARepeatRefersToItsOwnPartsWhereThoseOfTheFirstAreGone(t *testing.T) {
	t.Parallel()
	var published []events.Event
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store), forgetful(&published))
	f.accepted(t, identified(10<<10))
	// As after a crash between the acceptance and the last object.
	if err := store.Delete(t.Context(), attachments.PartKey(published[0].PartsID, 1)); err != nil {
		t.Fatal(err)
	}
	f.accepted(t, identified(10<<10))
	if published[1].PartsID == published[0].PartsID {
		t.Error("the repeat refers to what is gone")
	}
	for n := range published[1].Parts {
		if _, err := store.Stat(t.Context(), attachments.PartKey(published[1].PartsID, n)); err != nil {
			t.Error(err)
		}
	}
}

func TestARepeatRefersToItsOwnPartsWhereThoseOfTheFirstExpireBeforeIt(t *testing.T) {
	t.Parallel()
	var published []events.Event
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store), forgetful(&published), func(c *ingest.Config) { c.Now = now })
	body := strings.Replace(identified(0), `{`, `{"deadline_seconds":86400,`, 1)
	f.accepted(t, body)
	later.Store(int64(24*time.Hour + time.Minute)) // its deadline counts anew
	f.accepted(t, body)
	if published[1].PartsID == published[0].PartsID || len(kept(t, store)) != 2 {
		t.Error("the repeat refers to what expires before its deadline")
	}
}

func TestACancelRemovesWhatIsKept(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store))
	r := f.accepted(t, identified(10<<10))
	if n := len(kept(t, store)); n != 2 {
		t.Fatalf("%d objects are kept", n)
	}
	if a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, "", "Authorization", "Bearer "+narrowKey); a.status != 404 || len(kept(t, store)) != 2 {
		t.Errorf("another tenant: %s", a)
	}
	if a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, ""); a.receipt(t).Status != events.StatusCanceled {
		t.Errorf("answered %s", a)
	}
	if all := kept(t, store); len(all) != 0 {
		t.Errorf("%v is left", all)
	}
	again := f.accepted(t, identified(10<<10)) // as ever of a request that has ended
	if all := kept(t, store); again != r || len(all) != 0 {
		t.Errorf("a repeat after the cancel leaves %v", all)
	}
}

func TestACancelThatComesTooLateRemovesNothing(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	f := setup(t, withObjects(store))
	r := f.accepted(t, identified(0))
	if _, err := f.store.Begin(t.Context(), r.MessageID, results.Beginning{Run: "1", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if a := f.do(t, http.MethodDelete, "/v1/inferences/"+r.MessageID, ""); a.receipt(t).Status != events.StatusRunning || len(kept(t, store)) != 1 {
		t.Errorf("%d objects, answered %s", len(kept(t, store)), a)
	}
}

// unsure writes what it is given, and says that it could not, once.
type unsure struct {
	*results.Memory
	said   atomic.Bool
	writes bool
}

func (u *unsure) Create(ctx context.Context, key string, value []byte, expires time.Time) ([]byte, error) {
	if u.said.Swap(true) {
		return u.Memory.Create(ctx, key, value, expires)
	}
	if u.writes {
		if _, err := u.Memory.Create(ctx, key, value, expires); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("no answer")
}

func TestWhatAnAcceptanceMayReferToIsKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writes bool
		left   int
	}{"it was written": {true, 1}, "it was not": {false, 0}} {
		store := objects.NewMemory(nil)
		f := setup(t, withObjects(store), func(c *ingest.Config) {
			c.Results = results.New(&unsure{Memory: results.NewMemory(), writes: tc.writes})
		})
		if a := f.post(t, identified(0)); a.status != http.StatusServiceUnavailable || len(kept(t, store)) != tc.left {
			t.Errorf("%s: %d objects are left, %s", name, len(kept(t, store)), a)
		}
		f.accepted(t, identified(0))
		if e, all := f.published(t)[0], kept(t, store); len(all) != 1 || all[0].Key != attachments.PartKey(e.PartsID, 0) {
			t.Errorf("%s: after the repeat %+v are kept, the event has %q", name, all, e.PartsID)
		}
	}
}

// once is a store that cannot keep a request, once.
type once struct {
	*objects.Memory
	failed atomic.Bool
}

func (o *once) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if in.Type == events.JSON && !o.failed.Swap(true) {
		return objects.Info{}, errors.New("no space left")
	}
	return o.Memory.Put(ctx, in, content)
}

func TestPartsOfARequestThatIsAcceptedStayForItsRepeats(t *testing.T) {
	t.Parallel()
	bus := membus.New(membus.Options{})
	var down atomic.Bool
	store := &once{Memory: objects.NewMemory(nil)}
	f := setup(t, withObjects(store), func(c *ingest.Config) {
		c.Publisher = publisherFunc(func(ctx context.Context, out ...events.Event) error {
			if down.Load() {
				return hop.Unavailable(errors.New("away"))
			}
			return bus.Publish(ctx, out...)
		})
	})
	if a := f.post(t, identified(10<<10)); a.status != http.StatusServiceUnavailable || len(kept(t, store.Memory)) != 1 {
		t.Errorf("a request that cannot be kept: %d objects, %s", len(kept(t, store.Memory)), a)
	}
	down.Store(true)
	for range 3 {
		if a := f.post(t, strings.Replace(identified(0), someID, someID[:35]+"0", 1)); a.status != http.StatusServiceUnavailable {
			t.Fatalf("%s", a)
		}
	}
	if n := len(kept(t, store.Memory)); n != 2 {
		t.Errorf("%d objects are kept after repeats of a request that is not published, want one more", n)
	}
}
