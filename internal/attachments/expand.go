package attachments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects"
)

// Expander puts back into messages what they refer to.
type Expander struct {
	// Store has the parts and files. Nil: there are none, and what refers to one is missing.
	Store objects.Store
	// Fetch gets images by their URLs, for targets that want that. It is for it to refuse what may not be reached, and to
	// follow no redirect: an [*egress.Transport] does. Nil: URLs are left to the model server.
	//
	// [*egress.Transport]: https://pkg.go.dev/baton.dev/baton/internal/egress#Transport
	Fetch http.RoundTripper
	// Most returns how many bytes an image may have that is fetched. All that a request refers to may have four times as many
	// together, each time that it does. Nil or 0: 64 MiB.
	Most func() int64
	Now  func() time.Time // nil: time.Now
}

// Expand returns what expands the messages of an event's request for a target, as [model.Call] wants it. The body that it
// returns is the messages themselves where they refer to nothing; else it is read from the store as it is sent, and has its
// size from there.
//
// What is not there, or not as it was, is a [*model.Error] of [events.CodeDataMissing] or [events.CodeDataAltered] before
// anything is sent, if it can be told by then. While the body is read every object is verified, and the error comes in the
// place of what follows it: no server gets a complete request with it. A store that is away is [hop.Unavailable]. A host of an
// image that does not answer, or not well, is nobody's fault here: it is [hop.Park], and [events.CodeDataMissing] when it was
// asked for some minutes, or no time is left. More than may be is [events.CodeInvalidRequest].
//
// What was fetched is kept on disk until ctx is done.
func (e Expander) Expand(in events.Event) func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
	return func(ctx context.Context, t *catalog.Target, messages json.RawMessage) (model.Body, error) {
		if !refers(messages, t.FetchURLs && e.Fetch != nil) {
			return whole(messages), nil
		}
		x := &expansion{
			Expander: e, ctx: ctx, in: in, target: t, text: messages, sum: sum{most: defaultMost},
			stats: map[string]objects.Info{}, images: map[string]download{},
		}
		if e.Most != nil && e.Most() > 0 {
			x.sum.most = e.Most()
		}
		return x.run()
	}
}

// whole returns messages as a body.
func whole(messages []byte) model.Body {
	return model.Body{Size: int64(len(messages)), Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(messages)), nil
	}}
}

// refers reports whether messages may refer to something. Nearly none do, and are told by a look at their bytes: what refers
// to something is written by us, or has one of the words below, or hides it behind an escape.
func refers(messages []byte, urls bool) bool {
	for _, word := range []string{PartPrefix, FilePrefix, `"file_id"`, `\u`} {
		if bytes.Contains(messages, []byte(word)) {
			return true
		}
	}
	return urls && bytes.Contains(messages, []byte(`"image_url"`))
}

// expansion is the expansion of one request for one call.
type expansion struct {
	Expander

	ctx      context.Context //nolint:containedctx // of the one call that this is the state of
	in       events.Event
	target   *catalog.Target
	text     []byte
	taken    int // of text, by segments
	segments []segment

	sum    sum
	stats  map[string]objects.Info // by key: each is asked for once
	images map[string]download     // by URL: each is fetched once
	// until the fetches must all be done; zero: none was begun
	fetchUntil time.Time
}

func (x *expansion) run() (model.Body, error) {
	found, err := spots(x.text)
	if err != nil {
		return model.Body{}, refusal(events.CodeInvalidRequest, "The messages of the request cannot be read.", err)
	}
	for _, s := range found {
		if s.start < x.taken {
			continue // of a file that another stands in the place of
		}
		if err := x.spot(s); err != nil {
			return model.Body{}, err
		}
	}
	if x.taken == 0 {
		return whole(x.text), nil
	}
	x.segments = append(x.segments, segment{bytes: x.text[x.taken:]})
	return bodyOf(x.segments), nil
}

// spot puts what a value refers to in its place, if it refers to something.
func (x *expansion) spot(s spot) error {
	switch {
	case s.object && s.fileID != "":
		return x.fileByID(s)
	case strings.HasPrefix(s.text, PartPrefix):
		return x.part(s)
	case strings.HasPrefix(s.text, FilePrefix) && s.place == image:
		return x.imageByID(s)
	case s.place == image && s.text != "" && x.target.FetchURLs && x.Fetch != nil:
		return x.fetched(s)
	default:
		return nil
	}
}

// replace puts a content between two pieces of text in the place of a value.
func (x *expansion) replace(s spot, before string, content segment, after string) error {
	if err := x.sum.refer(content.size); err != nil {
		return err
	}
	x.segments = append(x.segments,
		segment{bytes: x.text[x.taken:s.start]}, segment{bytes: []byte(before)}, content, segment{bytes: []byte(after)})
	x.taken = s.end
	return nil
}

func (x *expansion) part(s spot) error {
	ref, err := ParseReference(s.text)
	if err != nil || ref.N >= x.in.Parts || x.in.PartsID == "" {
		return missing(fmt.Errorf("a reference of %s names no part of it", x.in.ID))
	}
	content, err := x.object(PartKey(x.in.PartsID, ref.N), func(info objects.Info) error {
		if info.Size != ref.Bytes || info.Digest != ref.Digest {
			return fmt.Errorf("%w: %s is not what the request refers to", objects.ErrAltered, info.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	before := `"`
	if ref.Type != "" && s.place != audio {
		before = dataURL(ref.Type)
	}
	return x.replace(s, before, content, `"`)
}

// dataURL returns the beginning of a JSON string that is a data URL in base64.
func dataURL(typ string) string {
	return strings.TrimSuffix(quoted("data:"+typ+";base64,"), `"`)
}

func quoted(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // invalid UTF-8, which it writes as U+FFFD
		return string(b)
	}
	return string(b)
}

// fileByID puts the content of a file in the place of its id.
func (x *expansion) fileByID(s spot) error {
	f, content, err := x.file(s.fileID)
	if err != nil {
		return err
	}
	name := s.filename
	if name == "" {
		name = f.Filename
	}
	typ := f.Type
	if typ == "" {
		typ = "application/octet-stream"
	}
	return x.replace(s, `{"filename":`+quoted(name)+`,"file_data":`+dataURL(typ), content, `"}`)
}

// imageByID puts an image that was uploaded in the place of its name.
func (x *expansion) imageByID(s spot) error {
	f, content, err := x.file(strings.TrimPrefix(s.text, FilePrefix))
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(f.Type, "image/"):
		return refusal(events.CodeDataMissing, "The file "+f.ID+" is no image.", nil)
	}
	return x.replace(s, dataURL(f.Type), content, `"`)
}

// file returns a file of the request's tenant.
func (x *expansion) file(id string) (File, segment, error) {
	if x.Store == nil || !ValidFileID(id) {
		return File{}, segment{}, missing(errors.New("no such file"))
	}
	info, err := x.stat(FileKey(x.in.Tenant, id))
	f, alive := FileOf(info, x.now())
	switch {
	case errors.Is(err, objects.ErrNotFound), err == nil && !alive:
		return f, segment{}, refusal(events.CodeDataMissing, "There is no file "+id+", or it is no longer kept.", err)
	case err != nil:
		return f, segment{}, refused(err)
	}
	content, err := x.object(FileKey(x.in.Tenant, id), func(info objects.Info) error {
		if info.Size != f.Size || info.Digest != f.Digest {
			return fmt.Errorf("%w: %s was replaced", objects.ErrAltered, info.Key)
		}
		return nil
	})
	return f, content, err
}

// object returns the content of an object that is there, and is what fits says, now and when it is read.
func (x *expansion) object(key string, fits func(objects.Info) error) (segment, error) {
	if x.Store == nil {
		return segment{}, missing(errors.New("no object store"))
	}
	info, err := x.stat(key)
	if err == nil {
		err = fits(info)
	}
	if err != nil {
		return segment{}, refused(err)
	}
	return segment{size: info.Size, source: func(ctx context.Context) (io.ReadCloser, error) {
		info, content, err := x.Store.Get(ctx, key)
		if err != nil {
			return nil, refused(err)
		}
		if err := fits(info); err != nil {
			_ = content.Close()
			return nil, refused(err)
		}
		return content, nil
	}}, nil
}

// stat returns what is known of an object.
func (x *expansion) stat(key string) (objects.Info, error) {
	if info, ok := x.stats[key]; ok {
		return info, nil
	}
	info, err := x.Store.Stat(x.ctx, key)
	if err == nil {
		x.stats[key] = info
	}
	return info, err
}

func (x *expansion) now() time.Time {
	if x.Now == nil {
		return time.Now()
	}
	return x.Now()
}

func missing(cause error) error { return refusal(events.CodeDataMissing, sentenceMissing, cause) }

// refusal is the error of a request that cannot be sent as it is.
func refusal(code, message string, cause error) *model.Error {
	err := model.NewError(code, cause)
	err.Message = message
	return err
}

// refused returns the error of the store as one of the call: a [*model.Error] where it says something of the request, and else
// [hop.Unavailable].
func refused(err error) error {
	if code, message := lost(err); code != "" {
		return refusal(code, message, err)
	}
	return hop.Unavailable(err)
}
