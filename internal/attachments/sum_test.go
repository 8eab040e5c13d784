package attachments_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects"
)

// fetching is a host of images in the memory of the test.
type fetching func(*http.Request) (*http.Response, error)

func (f fetching) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// image is the answer that an image of so many bytes is.
func image(size int) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "image/png")
	_, _ = rec.Write(pattern(size))
	return rec.Result()
}

// each returns n parts, by their number.
func each(n int, part func(i int) string) string {
	var parts []string
	for i := range n {
		parts = append(parts, part(i))
	}
	return message(strings.Join(parts, ","))
}

func TestTheSameImageIsFetchedOnce(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int32
	x := attachments.Expander{Fetch: fetching(func(*http.Request) (*http.Response, error) {
		fetches.Add(1)
		return image(1000), nil
	})}
	body, err := expand(t, x, &catalog.Target{FetchURLs: true}, each(100, func(int) string { return imagePart("https://example.com/a") }))
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, body)
	want := each(100, func(int) string { return imagePart(dataURL("image/png", pattern(1000))) })
	if err != nil || got != want || fetches.Load() != 1 {
		t.Errorf("after %d fetches %d bytes came, %v", fetches.Load(), len(got), err)
	}
}

// refusedAs returns the error of a request that is refused by the code, and fails the test for any other.
func refusedAs(t *testing.T, code string, err error) *model.Error {
	t.Helper()
	failure, ok := errors.AsType[*model.Error](err)
	if !ok || failure.Code != code || failure.Sent {
		t.Fatalf("got %v, want %s", err, code)
	}
	return failure
}

func TestASmallRequestDoesNotBecomeAHugeOne(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	for id, size := range map[string]int{"file-large": 90_000, "file-empty": 0} {
		f := attachments.File{ID: id, Type: "image/png"}
		if _, err := attachments.PutFile(t.Context(), store, "search", f, bytes.NewReader(pattern(size))); err != nil {
			t.Fatal(err)
		}
	}
	file := func(id string) func(int) string {
		return func(int) string { return imagePart("baton-file:" + id) }
	}
	url := func(i int) string { return imagePart(fmt.Sprintf("https://example.com/%d", i)) }
	for name, tc := range map[string]struct {
		messages string
		size     int // of an image that is fetched
		fetches  int32
		says     string
	}{
		"one file many times":               {each(5, file("file-large")), 0, 0, "more than 400000 bytes together"},
		"an empty file very many times":     {each(1025, file("file-empty")), 0, 0, "more than 1024 images"},
		"many images by their URLs":         {each(65, url), 10, 64, "more than 64 images by their URLs"},
		"images that are too much together": {each(6, url), 90_000, 5, "more than 400000 bytes together"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fetches atomic.Int32
			x := attachments.Expander{
				Store: store, Most: func() int64 { return 100_000 },
				Fetch: fetching(func(*http.Request) (*http.Response, error) {
					fetches.Add(1)
					return image(tc.size), nil
				}),
			}
			_, err := expand(t, x, &catalog.Target{FetchURLs: true}, tc.messages)
			failure := refusedAs(t, events.CodeInvalidRequest, err)
			if !strings.Contains(failure.Message, tc.says) || fetches.Load() != tc.fetches {
				t.Errorf("after %d fetches it says %q", fetches.Load(), failure.Message)
			}
		})
	}
}

func TestAHostThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	status := func(code int) fetching {
		return func(*http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			rec.WriteHeader(code)
			return rec.Result(), nil
		}
	}
	for name, host := range map[string]fetching{
		"no answer": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"503":       status(503), "500": status(500), "429": status(429), "408": status(408),
		"an answer that breaks off": func(*http.Request) (*http.Response, error) {
			res := image(1000)
			res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(pattern(10)), readerFunc(func([]byte) (int, error) {
				return 0, errors.New("connection reset")
			})))
			return res, nil
		},
		"an answer that ends too early": func(*http.Request) (*http.Response, error) {
			res := image(1000)
			res.ContentLength = 2000
			return res, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := attachments.Expander{Fetch: host, Now: func() time.Time { return now }}
			ask := func(in events.Event) error {
				_, err := x.Expand(in)(t.Context(), &catalog.Target{FetchURLs: true}, json.RawMessage(message(imagePart("https://example.com/a"))))
				return err
			}
			for copies, most := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				in := request
				in.Copy, in.Expiry = copies, now.Add(time.Hour)
				o := hop.Limits{}.Classify(in, ask(in))
				if wait := o.Until.Sub(now); o.Kind != hop.Parked || wait > most || wait < most/2 {
					t.Errorf("after %d times: %+v, and it waits %s", copies, o, wait)
				}
			}
			for when, in := range map[string]events.Event{
				"in the end":       {ID: "e", Copy: 10, Expiry: now.Add(time.Hour)},
				"without the time": {ID: "e", Expiry: now.Add(100 * time.Millisecond)},
			} {
				failure := refusedAs(t, events.CodeDataMissing, ask(in))
				if want := `The image at the host "example.com" could not be fetched.`; failure.Message != want {
					t.Errorf("%s it says %q", when, failure.Message)
				}
			}
		})
	}
}

func TestAllImagesHaveOneTimeToBeFetchedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches int
		x := attachments.Expander{Fetch: fetching(func(r *http.Request) (*http.Response, error) {
			fetches++
			select {
			case <-time.After(12 * time.Second):
				return image(10), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})}
		began := time.Now()
		_, err := expand(t, x, &catalog.Target{FetchURLs: true}, each(50, func(i int) string {
			return imagePart(fmt.Sprintf("https://example.com/%d", i))
		}))
		if took := time.Since(began); took != 30*time.Second || fetches != 3 || (hop.Limits{}).Classify(request, err).Kind != hop.Parked {
			t.Errorf("after %d fetches and %s: %v", fetches, took, err)
		}
	})
}
