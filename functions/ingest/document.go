package ingest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/internal/problem"
)

// maxDepth is how deep objects and arrays may stand in each other. The deepest legitimate part of a request is the JSON
// Schema of a tool's arguments, in parameters; published ones stay under 20.
const maxDepth = 64

// document is a JSON text, read once: everything that ingest asks of it comes from that one pass.
type document struct {
	value any // as the JSON Schema validator takes it: map[string]any, []any, string, float64, bool or nil
	// digest is the SHA-256 of the text without the whitespace between its tokens. So two texts that differ in layout
	// alone are the same, and two that differ in the spelling of a string or number, or in the order of members, are not:
	// whoever repeats a request repeats its bytes, and an exact form would cost a sort on every first request.
	digest [sha256.Size]byte
	faults []problem.FieldError // of values that JSON allows and the chain does not
}

// readDocument reads a JSON text strictly: UTF-8, no member twice, no deeper than maxDepth, nothing after it (RFC 8259, and
// RFC 7493 "I-JSON"). The problem names the place.
func readDocument(text []byte) (document, *problem.Problem) {
	if len(bytes.TrimLeft(text, " \t\r\n")) == 0 {
		return document{}, problem.New(problem.Malformed, "The body is empty: send a JSON object.")
	}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return document{}, problem.New(problem.Malformed,
			"The body starts with a byte order mark: JSON has none (RFC 8259, section 8.1).")
	}
	rd := reader{canonical: make([]byte, 0, len(text))}
	rd.decoder.Reset(bytes.NewBuffer(text)) // which it reads in place
	value, err := rd.value(0)
	if err == nil {
		err = rd.end()
	}
	if err != nil {
		return document{}, malformed(text, err)
	}
	return document{value: value, digest: sha256.Sum256(rd.canonical), faults: rd.faults}, nil
}

// reader turns tokens into a value, and into the same text without whitespace.
type reader struct {
	decoder   jsontext.Decoder
	canonical []byte
	scratch   []byte // for strings with escapes
	faults    []problem.FieldError
}

var (
	errTooDeep  = fmt.Errorf("deeper than %d objects and arrays in each other", maxDepth)
	errTrailing = errors.New("something follows the JSON value")
)

// placed is an error at a place in the text.
type placed struct {
	offset  int64
	pointer string
	err     error
}

func (e *placed) Error() string { return e.err.Error() }
func (e *placed) Unwrap() error { return e.err }

func (rd *reader) here(err error) error {
	return &placed{offset: rd.decoder.InputOffset(), pointer: string(rd.decoder.StackPointer()), err: err}
}

func (rd *reader) value(depth int) (any, error) {
	kind := rd.decoder.PeekKind()
	if kind == '{' || kind == '[' {
		if depth == maxDepth {
			return nil, rd.here(errTooDeep)
		}
		if kind == '{' {
			return rd.object(depth + 1)
		}
		return rd.array(depth + 1)
	}
	raw, err := rd.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	rd.canonical = append(rd.canonical, raw...)
	switch kind {
	case 'n':
		return nil, nil //nolint:nilnil // nil is the value of null
	case 't', 'f':
		return kind == 't', nil
	case '"':
		return rd.text(raw)
	default:
		return rd.number(raw), nil
	}
}

func (rd *reader) object(depth int) (any, error) {
	members := make(map[string]any, 8)
	err := rd.elements('}', func() error {
		raw, err := rd.decoder.ReadValue()
		if err != nil {
			return err
		}
		rd.canonical = append(append(rd.canonical, raw...), ':')
		name, err := rd.text(raw)
		if err != nil {
			return err
		}
		members[name], err = rd.value(depth)
		return err
	})
	return members, err
}

func (rd *reader) array(depth int) (any, error) {
	elements := []any{}
	err := rd.elements(']', func() error {
		v, err := rd.value(depth)
		elements = append(elements, v)
		return err
	})
	return elements, err
}

// elements reads an object or an array, calling read for each of its elements.
func (rd *reader) elements(end jsontext.Kind, read func() error) error {
	open, err := rd.decoder.ReadToken()
	if err != nil {
		return err
	}
	rd.canonical = append(rd.canonical, byte(open.Kind()))
	for n := 0; rd.decoder.PeekKind() != end; n++ {
		if n > 0 {
			rd.canonical = append(rd.canonical, ',')
		}
		if err := read(); err != nil {
			return err
		}
	}
	rd.canonical = append(rd.canonical, byte(end))
	_, err = rd.decoder.ReadToken()
	return err
}

// text returns the string that a JSON string spells.
func (rd *reader) text(raw jsontext.Value) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var err error
	rd.scratch, err = jsontext.AppendUnquote(rd.scratch[:0], raw)
	return string(rd.scratch), err
}

// number returns the value of a JSON number. One that no float64 comes near is a fault: readers after this one would
// disagree about it, and the schema's exact arithmetic would take 1e999999999 at its word and hundreds of megabytes.
func (rd *reader) number(raw jsontext.Value) float64 {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		rd.faults = append(rd.faults, problem.FieldError{
			Pointer: string(rd.decoder.StackPointer()), Detail: "is a number out of range: it must be within ±1.8e308",
		})
		return 0
	}
	return f
}

// end makes sure that nothing follows the value.
func (rd *reader) end() error {
	switch _, err := rd.decoder.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	default:
		return rd.here(errTrailing)
	}
}

// malformed says where a text ceases to be what it should be.
func malformed(text []byte, err error) *problem.Problem {
	at := placed{err: err}
	if own, ok := errors.AsType[*placed](err); ok {
		at = *own
	} else if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = placed{syntax.ByteOffset, string(syntax.JSONPointer), syntax.Err}
	}
	if errors.Is(at.err, jsontext.ErrDuplicateName) {
		return problem.New(problem.Malformed, "An object names a member twice, "+position(text, at.offset)+".",
			problem.FieldError{Pointer: at.pointer, Detail: "is given twice: give it once"})
	}
	what := "The body is not valid JSON: " + at.err.Error()
	switch {
	case errors.Is(at.err, io.ErrUnexpectedEOF):
		what = "The body is not valid JSON: it ends too early"
	case errors.Is(at.err, errTooDeep):
		what = "The body is nested too deep: " + at.err.Error()
	}
	detail := what + ", " + position(text, at.offset) + "."
	if at.pointer == "" {
		return problem.New(problem.Malformed, detail)
	}
	return problem.New(problem.Malformed, detail,
		problem.FieldError{Pointer: at.pointer, Detail: "cannot be read: " + at.err.Error()})
}

// position says where an offset is in words a person can count by.
func position(text []byte, offset int64) string {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("at byte %d (line %d, column %d)", len(before), line, column)
}
