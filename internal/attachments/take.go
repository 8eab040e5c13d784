package attachments

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"baton.dev/baton/internal/objects"
)

// Limits bounds what is taken out of a body, and what is left of it. See [catalog.Limits].
//
// [catalog.Limits]: https://pkg.go.dev/baton.dev/baton/internal/catalog#Limits
type Limits struct {
	Inline int64 // bytes of a part, as it is spelled, above which it is taken out
	Part   int64 // bytes of a part that is taken out; all parts together may have four times as many
	Body   int64 // bytes of what is left
}

// Bounds of a body's parts.
const (
	partsTogether = 4    // times the limit of one
	maxParts      = 1024 // objects of one request
)

// maxHead is how far a data URL may take to come to its data.
const maxHead = 512

// Taken is what is left of a body, with references in it, and where its parts are.
type Taken struct {
	Body    []byte
	Parts   int
	PartsID string // "" where nothing was taken out
}

// Kind is what is wrong with a body.
type Kind int

// The kinds of faults.
const (
	Malformed Kind = iota // it is no JSON
	TooLarge              // what is left of it, or a part, is over its limit
	Invalid               // a part is not what it must be
)

// Fault is what a caller did wrong. Its text is for the caller.
type Fault struct {
	Kind    Kind
	Pointer string // RFC 6901, to the part; "": the whole body
	Detail  string // follows the name of what is at the pointer
}

func (f *Fault) Error() string { return "attachments: " + f.Pointer + " " + f.Detail }

// ReadError is that the body could not be read.
type ReadError struct{ err error }

func (e *ReadError) Error() string { return "attachments: read body: " + e.err.Error() }

// Unwrap returns what the reader ended in.
func (e *ReadError) Unwrap() error { return e.err }

// Take reads a JSON text and puts its large parts into the store, as they come, under keys that nobody can guess. Every other
// byte of the text is left as it is. A part is a string where a part may stand, longer than the limit, that holds a data URL in
// base64 or, where such stands, base64. The objects expire at the given time.
//
// The error is a [*Fault], a [*ReadError], or one of the store. Then what was put is removed again, as far as that can be done.
func Take(ctx context.Context, store objects.Store, from io.Reader, l Limits, expires time.Time) (Taken, error) {
	t := &taking{ctx: ctx, store: store, scanner: newScanner(from), limits: l, expires: expires}
	if err := t.run(); err != nil {
		_ = Discard(ctx, store, t.PartsID, t.Parts+1) // the last may be there, though its put failed
		return Taken{}, err
	}
	return t.Taken, nil
}

type taking struct {
	Taken

	ctx     context.Context //nolint:containedctx // of the one call that this is the state of
	store   objects.Store
	scanner *scanner
	limits  Limits
	expires time.Time
	bytes   int64 // of all parts
}

func (t *taking) run() error {
	s := t.scanner
	for {
		c, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &ReadError{err}
		}
		if err := t.keep(c); err != nil {
			return err
		}
		if c != '"' {
			s.structure(c)
			continue
		}
		if s.names() {
			start := len(t.Body)
			if err := t.rest(); err != nil {
				return err
			}
			s.named(t.Body[start : len(t.Body)-1])
			continue
		}
		if err := t.value(); err != nil {
			return err
		}
	}
}

// keep leaves bytes in the body.
func (t *taking) keep(b ...byte) error {
	t.Body = append(t.Body, b...)
	return t.bounded()
}

func (t *taking) bounded() error {
	if int64(len(t.Body)) <= t.limits.Body {
		return nil
	}
	return &Fault{
		Kind:   TooLarge,
		Detail: fmt.Sprintf("The body is over the limit of %d bytes, its large parts not counted.", t.limits.Body),
	}
}

// rest leaves the rest of a string in the body as it is spelled, up to and with the quote at its end.
func (t *taking) rest() error {
	for {
		if ended, err := t.pass(bufferSize); err != nil || ended {
			return err
		}
		if err := t.bounded(); err != nil {
			return err
		}
	}
}

// pass leaves the rest of a string in the body as rest does, or somewhat more than the given number of bytes if it has more.
// It reports whether it came to the end. It does not look at the limit of the body.
func (t *taking) pass(most int64) (ended bool, _ error) {
	s := t.scanner
	for passed := int64(0); passed <= most; {
		if err := s.fill(); err != nil {
			return false, unexpected(err)
		}
		src := s.buf[s.pos:s.end]
		run := plain(src[:min(int64(len(src)), most+1-passed)])
		if run == 0 { // a quote, an escape, or what does not belong there
			if src[0] == '\\' {
				t.Body = append(t.Body, '\\')
				s.pos++
				passed++
				if err := s.fill(); err != nil {
					return false, unexpected(err)
				}
				src = s.buf[s.pos:s.end]
			} else {
				ended = src[0] == '"'
			}
			run = 1
		}
		t.Body = append(t.Body, src[:run]...)
		s.pos += run
		passed += int64(run)
		if ended {
			return true, t.bounded()
		}
	}
	return false, nil
}

// value reads a string that is no name, whose first quote is read.
func (t *taking) value() error {
	p := t.scanner.place()
	if p == nowhere {
		return t.rest()
	}
	start := len(t.Body)
	ended, err := t.pass(max(t.limits.Inline, maxHead))
	if err != nil {
		return err
	}
	begins := beginning(t.Body[start:])
	if strings.HasPrefix(begins, PartPrefix) {
		return t.fault(Invalid, "must not begin with "+PartPrefix+", which is Baton's own")
	}
	if ended {
		return nil
	}
	typ, skip, ok := p.part(begins)
	if !ok {
		return t.rest()
	}
	if p == image && !strings.HasPrefix(typ, "image/") {
		return t.fault(Invalid, "must be an https or http URL, or the image itself as a data:image/ URL")
	}
	head := t.Body[start:]
	t.Body = t.Body[:start]
	reference, err := t.put(&text{head: head, scanner: t.scanner}, typ, skip)
	if err != nil {
		return err
	}
	return t.keep(append([]byte(reference.String()), '"')...)
}

// beginning returns the first characters of a string, as far as they are ASCII.
func beginning(spelled []byte) string {
	b := make([]byte, maxHead)
	n, _ := io.ReadFull(&text{head: spelled, scanner: newScanner(strings.NewReader(""))}, b)
	return string(b[:n])
}

// part returns the media type of a part by what its string begins with, and how much of that is no data; ok is false where it
// is none to be taken out.
func (p place) part(begins string) (typ string, skip int, ok bool) {
	if rest, isURL := strings.CutPrefix(begins, "data:"); isURL && p != audio {
		typ, _, ok = strings.Cut(rest, ",")
		typ, encoded := strings.CutSuffix(typ, ";base64")
		ok = ok && encoded && typ != "" && !strings.ContainsFunc(typ, func(c rune) bool { return c <= ' ' || c > '~' })
		return typ, len("data:") + len(typ) + len(";base64,"), ok
	}
	return "", 0, p != image
}

// put stores a part, and returns what refers to it.
func (t *taking) put(from *text, typ string, skip int) (Reference, error) {
	if t.Parts == maxParts {
		return Reference{}, &Fault{Kind: TooLarge, Detail: fmt.Sprintf("The body has more than %d large parts.", maxParts)}
	}
	if t.PartsID == "" {
		t.PartsID = NewPartsID()
	}
	if _, err := io.CopyN(io.Discard, from, int64(skip)); err != nil {
		return Reference{}, t.broken(err)
	}
	content := &part{
		from: base64.NewDecoder(base64.StdEncoding, &padded{from: from}),
		most: t.limits.Part, left: partsTogether*t.limits.Part - t.bytes,
	}
	in := objects.Info{Key: PartKey(t.PartsID, t.Parts), Type: typ, Expires: t.expires}
	info, err := t.store.Put(t.ctx, in, content)
	switch {
	case content.err != nil:
		return Reference{}, t.broken(content.err)
	case err != nil:
		return Reference{}, err
	}
	r := Reference{N: t.Parts, Type: typ, Bytes: info.Size, Digest: info.Digest}
	t.Parts++
	t.bytes += info.Size
	return r, nil
}

// broken says what is wrong with a part that could not be read to its end.
func (t *taking) broken(err error) error {
	if unread, ok := errors.AsType[*ReadError](err); ok {
		return unread
	}
	switch {
	case errors.Is(err, errTooLarge):
		return t.fault(TooLarge, fmt.Sprintf("has more than %d bytes, which is the most of one part", t.limits.Part))
	case errors.Is(err, errTooMuch):
		return t.fault(TooLarge,
			fmt.Sprintf("makes the large parts of the body more than %d bytes together", partsTogether*t.limits.Part))
	case errors.Is(err, errSyntax):
		return &Fault{Kind: Malformed, Pointer: t.scanner.pointer(), Detail: "has what JSON does not allow in a string"}
	default:
		return t.fault(Invalid, "must be base64 (RFC 4648, section 4), padding included, without line breaks")
	}
}

func (t *taking) fault(k Kind, detail string) error {
	return &Fault{Kind: k, Pointer: t.scanner.pointer(), Detail: detail}
}
