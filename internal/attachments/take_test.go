package attachments_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
)

func TestWhatIsTakenOut(t *testing.T) {
	t.Parallel()
	small, large := pattern(100), pattern(3000)
	b64 := base64.StdEncoding.EncodeToString
	for _, tc := range []struct {
		name, body, want string
		parts            [][]byte
	}{
		{"nothing of a small body", `{"a":[1,"b",null]}`, `{"a":[1,"b",null]}`, nil},
		{"not a small image", imageBody(dataURL("image/png", small)), imageBody(dataURL("image/png", small)), nil},
		{"a large image", imageBody(dataURL("image/png", large)), imageBody(reference(0, "image/png", large)), [][]byte{large}},
		{"an image whose base64 has escapes", imageBody(strings.ReplaceAll(dataURL("image/png", large), "/", `\/`)), imageBody(reference(0, "image/png", large)), [][]byte{large}},
		{"an image whose base64 has escapes by number", imageBody(strings.ReplaceAll(dataURL("image/png", large), "A", `\u0041`)), imageBody(reference(0, "image/png", large)), [][]byte{large}},
		{"an image with a parameter", imageBody(dataURL("image/png;a=b", large)), imageBody(reference(0, "image/png;a=b", large)), [][]byte{large}},
		{"not a long URL", imageBody("https://example.com/" + strings.Repeat("a", 2000)), imageBody("https://example.com/" + strings.Repeat("a", 2000)), nil},
		{"not a data URL that is not base64", imageBody("data:image/svg+xml," + strings.Repeat("a", 2000)), imageBody("data:image/svg+xml," + strings.Repeat("a", 2000)), nil},
		{"not a long text", `{"messages":[{"content":"` + b64(large) + `"}]}`, `{"messages":[{"content":"` + b64(large) + `"}]}`, nil},
		{
			"not a part where none is put back", `{"parameters":{"image_url":{"url":"` + dataURL("image/png", large) + `"}}}`,
			`{"parameters":{"image_url":{"url":"` + dataURL("image/png", large) + `"}}}`, nil,
		},
		{
			"audio and a file, numbered in their order",
			`{"messages":[{"content":[{"input_audio":{"format":"wav","data":"` + b64(large) + `"}},{"file":{"file_data":"` + dataURL("application/pdf", large[1:]) + `"}},{"file":{"file_data":"` + b64(large[2:]) + `"}}]}]}`,
			`{"messages":[{"content":[{"input_audio":{"format":"wav","data":"` + reference(0, "", large) + `"}},{"file":{"file_data":"` + reference(1, "application/pdf", large[1:]) + `"}},{"file":{"file_data":"` + reference(2, "", large[2:]) + `"}}]}]}`,
			[][]byte{large, large[1:], large[2:]},
		},
		{
			"what stands in an event", `{"specversion":"1.0","data":` + imageBody(dataURL("image/png", large)) + `}`,
			`{"specversion":"1.0","data":` + imageBody(reference(0, "image/png", large)) + `}`,
			[][]byte{large},
		},
		{
			"what stands in a request for a response", `{"input":[{"content":[{"type":"input_image","image_url":"` + dataURL("image/png", large) + `"}]}]}`,
			`{"input":[{"content":[{"type":"input_image","image_url":"` + reference(0, "image/png", large) + `"}]}]}`,
			[][]byte{large},
		},
		{
			"a member whose name has escapes", strings.Replace(imageBody(dataURL("image/png", large)), `"image_url":{`, `"im\u0061ge_url":{`, 1),
			strings.Replace(imageBody(reference(0, "image/png", large)), `"image_url":{`, `"im\u0061ge_url":{`, 1),
			[][]byte{large},
		},
		{"nothing of what is no JSON", `{"messages":[}}}]"`, `{"messages":[}}}]"`, nil},
		{"nothing of nothing", ``, ``, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := objects.NewMemory(nil)
			got, err := take(t, store, tc.body)
			if err != nil && !strings.HasPrefix(tc.name, "nothing of what") {
				t.Fatal(err)
			}
			if err == nil && string(got.Body) != tc.want {
				t.Errorf("got  %s\nwant %s", got.Body, tc.want)
			}
			if got.Parts != len(tc.parts) || (got.PartsID == "") != (len(tc.parts) == 0) || count(t, store) != len(tc.parts) {
				t.Fatalf("%d parts under %q, %d objects", got.Parts, got.PartsID, count(t, store))
			}
			for n, want := range tc.parts {
				if !bytes.Equal(content(t, store, attachments.PartKey(got.PartsID, n)), want) {
					t.Errorf("part %d is another", n)
				}
			}
		})
	}
}

func TestTheSameBodyLeavesTheSameAndItsPartsElsewhere(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	body := imageBody(dataURL("image/png", pattern(2000)))
	first, err := take(t, store, body)
	if err != nil {
		t.Fatal(err)
	}
	second, err := take(t, store, body)
	if err != nil || !bytes.Equal(first.Body, second.Body) || first.PartsID == second.PartsID {
		t.Errorf("first %+v, second %+v, %v", first, second, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	const at = "/messages/0/content/0/image_url/url"
	image := dataURL("image/png", pattern(2000))
	two := strings.Replace(imageBody(image), "[{\"type\"", `[{"image_url":{"url":"`+image+`"}},{"type"`, 1)
	for _, tc := range []struct {
		name, body string
		kind       attachments.Kind
		pointer    string
	}{
		{"no base64", imageBody(strings.Replace(image, "AA", "A*", 1)), attachments.Invalid, at},
		{"no base64 at its end", imageBody(image[:len(image)-1]), attachments.Invalid, at},
		{"base64 that goes on", imageBody(image + "AAAA"), attachments.Invalid, at},
		{"a line break in base64", imageBody(image[:900] + `\n` + image[900:]), attachments.Invalid, at},
		{"an escape that is none", imageBody(image[:900] + `\x` + image[900:]), attachments.Malformed, at},
		{"a second part that is bad", strings.Replace(two, image+`"}}]`, image[:1500]+`?"}}]`, 1), attachments.Invalid, "/messages/0/content/1/image_url/url"},
		{"a text in the place of an image", imageBody(dataURL("text/plain", pattern(2000))), attachments.Invalid, at},
		{"a reference of the caller's own", imageBody("baton-part:0;type=image/png;bytes=1;sha256=00"), attachments.Invalid, at},
		{"a reference that hides", imageBody(`\u0062aton-part:0`), attachments.Invalid, at},
		{"a part that is too large", imageBody(dataURL("image/png", pattern(5<<10))), attachments.TooLarge, at},
		{"parts that are too large together", `{"messages":[{"content":[` + strings.Repeat(`{"image_url":{"url":"`+dataURL("image/png", pattern(4000))+`"}},`, 5) + `1]}]}`, attachments.TooLarge, "/messages/0/content/4/image_url/url"},
		{"a rest that is too large", `{"a":"` + strings.Repeat("x", 9000) + `"}`, attachments.TooLarge, ""},
		{"a rest that is too large, of white space", strings.Repeat(" ", 9000), attachments.TooLarge, ""},
		{"a rest that is too large after a part", strings.Replace(imageBody(image), `]}`, `,"`+strings.Repeat("x", 8000)+`"]}`, 1), attachments.TooLarge, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := objects.NewMemory(nil)
			got, err := take(t, store, tc.body)
			fault, ok := errors.AsType[*attachments.Fault](err)
			if !ok || fault.Kind != tc.kind || fault.Pointer != tc.pointer || fault.Detail == "" {
				t.Fatalf("got %+v, %#v: %v", got, fault, err)
			}
			if n := count(t, store); n != 0 {
				t.Errorf("%d objects are left", n)
			}
		})
	}
}

func TestABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	body := imageBody(dataURL("image/png", pattern(3000)))
	torn := errors.New("torn")
	for _, n := range []int{80, 120, 2000} {
		store := objects.NewMemory(nil)
		from := io.MultiReader(strings.NewReader(body[:n]), readerFunc(func([]byte) (int, error) { return 0, torn }))
		_, err := attachments.Take(t.Context(), store, from, limits, time.Time{})
		if unread, ok := errors.AsType[*attachments.ReadError](err); !ok || !errors.Is(unread, torn) {
			t.Errorf("after %d bytes: %v", n, err)
		}
		if _, err = take(t, store, body[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("it ends after %d bytes: %v", n, err)
		}
		if left := count(t, store); left != 0 {
			t.Errorf("%d objects are left", left)
		}
	}
}

func TestAStoreThatIsAwayIsNoFaultOfTheCaller(t *testing.T) {
	t.Parallel()
	if _, err := take(t, away{}, imageBody(dataURL("image/png", pattern(3000)))); !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

// FuzzTake holds that what is left of valid JSON is valid JSON, and that what is taken out is what was there.
func FuzzTake(f *testing.F) {
	large := pattern(700)
	for _, s := range []string{
		imageBody(dataURL("image/png", large)), imageBody(strings.ReplaceAll(dataURL("image/png", large), "/", `\/`)),
		`{"messages":[{"content":[{"input_audio":{"data":"` + base64.StdEncoding.EncodeToString(large) + `"}}]}]}`,
		`{"data":{"input":[{"content":[{"file_data":"` + dataURL("a/b;c=\\\"d", large) + `"}]}]}}`,
		`[[[]],{"a":{"\"":"\\"}},"\ud83d\ude00"]`, `{"messages`, `"\`, `{"image_url":{"url":"` + strings.Repeat(`\u0041`, 200) + `"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		store := objects.NewMemory(nil)
		got, err := attachments.Take(t.Context(), store, iotestHalf(bytes.NewReader(body)), limits, time.Time{})
		if err != nil {
			if n := count(t, store); n != 0 {
				t.Fatalf("%d objects are left after %v", n, err)
			}
			return
		}
		var before, after any
		if json.Unmarshal(body, &before) != nil {
			return
		}
		if err := json.Unmarshal(got.Body, &after); err != nil {
			t.Fatalf("%q is left of %q: %v", got.Body, body, err)
		}
		same(t, store, got, before, after)
	})
}

// same holds that the values are the same, but for references and what they are in the place of.
func same(t *testing.T, store objects.Store, taken attachments.Taken, before, after any) {
	t.Helper()
	switch before := before.(type) {
	case map[string]any:
		after, _ := after.(map[string]any)
		if len(after) != len(before) {
			t.Fatalf("%v became %v", before, after)
		}
		for name, v := range before {
			same(t, store, taken, v, after[name])
		}
	case []any:
		after, _ := after.([]any)
		if len(after) != len(before) {
			t.Fatalf("%v became %v", before, after)
		}
		for i, v := range before {
			same(t, store, taken, v, after[i])
		}
	case string:
		if before == after {
			return
		}
		after, _ := after.(string)
		ref, err := attachments.ParseReference(after)
		if err != nil || ref.N >= taken.Parts {
			t.Fatalf("%q became %q: %v", before, after, err)
		}
		encoded := before
		if ref.Type != "" {
			encoded = strings.TrimPrefix(before, "data:"+ref.Type+";base64,")
		}
		want, err := base64.StdEncoding.DecodeString(encoded)
		if got := content(t, store, attachments.PartKey(taken.PartsID, ref.N)); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q is kept as %q: %v", before, got, err)
		}
	default:
		if before != after {
			t.Fatalf("%v became %v", before, after)
		}
	}
}
