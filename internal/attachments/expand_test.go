package attachments_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects"
)

// message returns messages with one part.
func message(part string) string { return `[{"role":"user","content":[` + part + `,"é"],"x":1}]` }

func imagePart(url string) string {
	return `{"type":"image_url","image_url":{"detail":"low","url":"` + url + `"}}`
}

// put stores an object of the request that the tests are about.
func put(t *testing.T, store objects.Store, in objects.Info, b []byte) {
	t.Helper()
	if _, err := store.Put(t.Context(), in, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}

var request = events.Event{ID: "e", Tenant: "search", Parts: 1, PartsID: "P"}

func expand(t *testing.T, x attachments.Expander, target *catalog.Target, messages string) (model.Body, error) {
	t.Helper()
	return x.Expand(request)(t.Context(), target, json.RawMessage(messages))
}

func read(t *testing.T, b model.Body) (string, error) {
	t.Helper()
	r, err := b.Open(t.Context())
	if err != nil {
		return "", err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return string(got), err
}

func TestExpand(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	part := pattern(100_000)
	put(t, store, objects.Info{Key: "parts/P/0"}, part)
	file, err := attachments.PutFile(t.Context(), store, "search", attachments.File{
		ID: attachments.NewFileID(), Filename: `a "b" é.pdf`, Purpose: "user_data", Type: "application/pdf",
	}, bytes.NewReader(part[:1001]))
	if err != nil {
		t.Fatal(err)
	}
	photo, err := attachments.PutFile(t.Context(), store, "search", attachments.File{
		ID: attachments.NewFileID(), Filename: "a.png", Purpose: "vision", Type: "image/png",
	}, bytes.NewReader(part[:1000]))
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	name, err := json.Marshal(file.Filename)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, messages, want string }{
		{"nothing", message(`{"type":"text","text":"hi"}`), message(`{"type":"text","text":"hi"}`)},
		{"what only looks like a reference", message(`{"type":"text","text":"baton-part:0"}`), message(`{"type":"text","text":"baton-part:0"}`)},
		{"an image", message(imagePart(reference(0, "image/png", part))), message(imagePart(dataURL("image/png", part)))},
		{
			"audio", message(`{"type":"input_audio","input_audio":{"data":"` + reference(0, "", part) + `","format":"wav"}}`),
			message(`{"type":"input_audio","input_audio":{"data":"` + b64(part) + `","format":"wav"}}`),
		},
		{
			"a file that was a data URL", message(`{"type":"file","file":{"file_data":"` + reference(0, "a/b", part) + `","filename":"x"}}`),
			message(`{"type":"file","file":{"file_data":"` + dataURL("a/b", part) + `","filename":"x"}}`),
		},
		{
			"a file that was base64", message(`{"type":"file","file":{"file_data":"` + reference(0, "", part) + `"}}`),
			message(`{"type":"file","file":{"file_data":"` + b64(part) + `"}}`),
		},
		{
			"a file by its id", message(`{"type":"file","file": {"file_id":"` + file.ID + `"}}`),
			message(`{"type":"file","file": {"filename":` + string(name) + `,"file_data":"` + dataURL("application/pdf", part[:1001]) + `"}}`),
		},
		{
			"an image by its name, the same part twice", message(imagePart("baton-file:"+photo.ID) + "," + imagePart(reference(0, "image/png", part)) + "," + imagePart(reference(0, "image/png", part))),
			message(imagePart(dataURL("image/png", part[:1000])) + "," + imagePart(dataURL("image/png", part)) + "," + imagePart(dataURL("image/png", part))),
		},
		{
			"an image by its name with escapes", message(imagePart(`\u0062aton-file:` + photo.ID)),
			message(imagePart(dataURL("image/png", part[:1000]))),
		},
		{"not a URL, where the target fetches", message(imagePart("https://example.com/a.png")), message(imagePart("https://example.com/a.png"))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body, err := expand(t, attachments.Expander{Store: store}, &catalog.Target{}, tc.messages)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a body may be opened again
				got, err := read(t, body)
				if err != nil || got != tc.want || body.Size != int64(len(got)) {
					t.Errorf("of %d bytes came %d, %v:\n%.300s\nwant %d:\n%.300s", body.Size, len(got), err, got, len(tc.want), tc.want)
				}
			}
		})
	}
}

func TestWhatIsNotThereIsSaidBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	put(t, store, objects.Info{Key: "parts/P/0"}, pattern(1000))
	put(t, store, objects.Info{Key: "parts/other/0"}, pattern(1000))
	theirs, err := attachments.PutFile(t.Context(), store, "narrow", attachments.File{ID: "file-a", Type: "image/png"}, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	text, err := attachments.PutFile(t.Context(), store, "search", attachments.File{ID: "file-b", Type: "text/plain"}, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	old, err := attachments.PutFile(t.Context(), store, "search", attachments.File{
		ID: "file-c", Type: "image/png", Expires: time.Now().Add(-time.Minute),
	}, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ part, code string }{
		"a part that is another":                 {imagePart(reference(0, "image/png", pattern(1001))), events.CodeDataAltered},
		"a part that is of another request":      {imagePart(reference(1, "image/png", pattern(1000))), events.CodeDataMissing},
		"a part by no number":                    {imagePart("baton-part:x"), events.CodeDataMissing},
		"a file that is not there":               {`{"type":"file","file":{"file_id":"file-none"}}`, events.CodeDataMissing},
		"a file of another tenant":               {imagePart("baton-file:" + theirs.ID), events.CodeDataMissing},
		"a file that climbs to another's":        {imagePart("baton-file:../narrow/" + theirs.ID), events.CodeDataMissing},
		"a file that is no image, as an image":   {imagePart("baton-file:" + text.ID), events.CodeDataMissing},
		"a file whose time is over":              {`{"type":"file","file":{"file_id":"` + old.ID + `"}}`, events.CodeDataMissing},
		"a file by an id that no file can have ": {`{"type":"file","file":{"file_id":"x/y"}}`, events.CodeDataMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []objects.Store{store, nil} {
				_, err := expand(t, attachments.Expander{Store: s}, &catalog.Target{}, message(tc.part))
				failure, ok := errors.AsType[*model.Error](err)
				if !ok || s != nil && failure.Code != tc.code || failure.Message == "" || failure.Sent {
					t.Errorf("got %+v, want %s: %v", failure, tc.code, err)
				}
			}
		})
	}
}

// swapping is a store in which an object is another once it is read.
type swapping struct {
	*objects.Memory

	content []byte
	err     error
}

func (s swapping) Get(ctx context.Context, key string) (objects.Info, io.ReadCloser, error) {
	info, err := s.Stat(ctx, key)
	if err != nil || s.err != nil {
		return info, nil, errors.Join(err, s.err)
	}
	return info, objects.Verify(info, io.NopCloser(bytes.NewReader(s.content))), nil
}

func TestWhatIsAlteredWhileItIsReadEndsTheBody(t *testing.T) {
	t.Parallel()
	part := pattern(100_000)
	memory := objects.NewMemory(nil)
	put(t, memory, objects.Info{Key: "parts/P/0"}, part)
	messages := message(imagePart(reference(0, "image/png", part)))
	changed := bytes.Clone(part)
	changed[len(changed)-1]++
	for name, tc := range map[string]struct {
		store swapping
		code  string
	}{
		"other bytes": {swapping{memory, changed, nil}, events.CodeDataAltered},
		"fewer":       {swapping{memory, part[:50_000], nil}, events.CodeDataAltered},
		"more":        {swapping{memory, append(part, 1), nil}, events.CodeDataAltered},
		"none left":   {swapping{memory, nil, objects.ErrNotFound}, events.CodeDataMissing},
		"away":        {swapping{memory, nil, errAway}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := expand(t, attachments.Expander{Store: tc.store}, &catalog.Target{}, messages)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t, body)
			failure, ok := errors.AsType[*model.Error](err)
			if ok != (tc.code != "") || ok && failure.Code != tc.code {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if tc.code == "" && (hop.Limits{}).Classify(request, err).Kind != hop.Return {
				t.Errorf("of a store that is away it says %v", err)
			}
			if strings.Contains(got, `"x":1`) || int64(len(got)) >= body.Size {
				t.Error("a server may have got a whole request")
			}
		})
	}
}

func TestAStoreThatIsAwayBeforeTheCall(t *testing.T) {
	t.Parallel()
	for _, part := range []string{imagePart(reference(0, "image/png", nil)), imagePart("baton-file:file-a")} {
		_, err := expand(t, attachments.Expander{Store: away{}}, &catalog.Target{}, message(part))
		if (hop.Limits{}).Classify(request, err).Kind != hop.Return {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add([]byte(message(imagePart(reference(0, "image/png", pattern(10))))))
	f.Add([]byte(message(`{"file":{"file_id":"file-a","file_data":"baton-part:0","filename":1}}`)))
	f.Add([]byte(`[{"content":[{"file":{"file_data":"baton-file:","file":{"file_id":"file-a"}}}]}]`))
	f.Add([]byte(`[{"content":"\u0000"},{"content":[{"image_url":[1,{"url":"baton-file:file-a"}]}]}]`))
	store := objects.NewMemory(nil)
	if _, err := store.Put(context.Background(), objects.Info{Key: "parts/P/0"}, bytes.NewReader(pattern(10))); err != nil {
		f.Fatal(err)
	}
	file := attachments.File{ID: "file-a", Filename: "\"\xff", Type: `image/"`}
	if _, err := attachments.PutFile(context.Background(), store, "search", file, bytes.NewReader(pattern(11))); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, messages []byte) {
		body, err := expand(t, attachments.Expander{Store: store}, &catalog.Target{}, string(messages))
		if err != nil || !json.Valid(messages) {
			return
		}
		if got, err := read(t, body); err != nil || int64(len(got)) != body.Size || !json.Valid([]byte(got)) {
			t.Errorf("%q becomes %q of %d bytes, %v", messages, got, body.Size, err)
		}
	})
}
