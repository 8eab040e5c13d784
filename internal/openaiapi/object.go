package openaiapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object whose values are not read yet, in the order in which they were written.
type object []member

type member struct {
	name  string
	value []byte // part of the text
}

// get returns the value of the member, nil where there is none or it is null: at OpenAI, null says what leaving out says.
func (o object) get(name string) []byte {
	for _, m := range o {
		if m.name == name && string(m.value) != "null" {
			return m.value
		}
	}
	return nil
}

// text returns the member that is a string, and "" for anything else.
func (o object) text(name string) string { return text(o.get(name)) }

// readObject reads a text that is a JSON object strictly: UTF-8, no member twice at any depth, nothing after it.
func readObject(body []byte) (object, *Error) {
	o, err := decodeObject(body)
	switch {
	case err == nil:
		return o, nil
	case errors.Is(err, errNoObject):
		return nil, invalid("", "", "The body must be a JSON object.")
	default:
		return nil, unparsable(err)
	}
}

var errNoObject = errors.New("no object")

func decodeObject(body []byte) (object, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body)) // which it reads in place
	if kind := dec.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return nil, errNoObject
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var o object
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		end := dec.InputOffset()
		m.value = body[end-int64(len(raw)) : end : end]
		o = append(o, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return o, nil
}

// elements returns the values of an array, or false for what is none. The text is known to be JSON.
func elements(raw []byte) ([][]byte, bool) {
	if kindOf(raw) != '[' {
		return nil, false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	var all [][]byte
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		end := dec.InputOffset()
		all = append(all, raw[end-int64(len(v)):end:end])
	}
	return all, true
}

// unparsable says where a body ceases to be JSON.
func unparsable(err error) *Error {
	at := ""
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at = fmt.Sprintf(", at byte %d", syntax.ByteOffset)
		if syntax.JSONPointer != "" {
			at += " (" + Param(ChatCompletions, string(syntax.JSONPointer)) + ")"
		}
		err = syntax.Err
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid("", "", "We could not parse the JSON body of your request: an object names a member twice"+at+".")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return invalid("", "", "We could not parse the JSON body of your request: it ends too early"+at+".")
	default:
		return invalid("", "", "We could not parse the JSON body of your request: "+err.Error()+at+".")
	}
}

// kindOf returns the first byte of a JSON value, which tells its type; 0 of nothing.
func kindOf(raw []byte) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// text returns the value of a JSON string, and "" for anything else.
func text(raw []byte) string {
	if kindOf(raw) != '"' {
		return ""
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(s)
}

// builder writes a JSON object member by member.
type builder struct{ b []byte }

// raw adds a member whose value is JSON already; of no value nothing is added.
func (w *builder) raw(name string, value []byte) {
	if len(value) == 0 {
		return
	}
	w.name(name)
	w.b = append(w.b, value...)
}

// string adds a member that is a string.
func (w *builder) string(name, value string) {
	w.name(name)
	w.b = appendString(w.b, value)
}

func (w *builder) name(name string) {
	if len(w.b) == 0 {
		w.b = append(w.b, '{')
	} else {
		w.b = append(w.b, ',')
	}
	w.b = append(appendString(w.b, name), ':')
}

// done returns the object.
func (w *builder) done() []byte {
	if len(w.b) == 0 {
		return []byte("{}")
	}
	return append(w.b, '}')
}

// appendString appends s as a JSON string, with the escapes that JSON asks for and no others.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // what is not UTF-8 is replaced, and told by an error
	return b
}

// quoted returns s as a JSON string.
func quoted(s string) []byte { return appendString(nil, s) }

// array returns values that are JSON already as an array.
func array(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}

// line returns JSON that has no line feed in it, which would end a server-sent event's line of data.
func line(raw []byte) []byte {
	if bytes.ContainsAny(raw, "\r\n") {
		v := jsontext.Value(raw)
		_ = v.Compact() // it is JSON, and stays as it is if not
		return v
	}
	return raw
}
