package attachments

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// spot is a value in messages in whose place something else may have to stand.
type spot struct {
	place      place
	start, end int    // of the value in the text: a string, or the object of a file
	text       string // of a string that may refer to something; "" of any other

	// of the object of a file
	object           bool
	fileID, filename string
}

// spots returns what in messages may refer to something, in the order of the text. What is not of the schema's shape refers to
// nothing.
func spots(messages []byte) ([]spot, error) {
	r := &reader{text: messages}
	r.dec.Reset(bytes.NewBuffer(messages)) // which it reads in place
	err := r.each('[', func(string) error {
		return r.each('{', func(name string) error {
			if name != "content" {
				return r.dec.SkipValue()
			}
			return r.each('[', func(string) error { return r.each('{', r.part) })
		})
	})
	return r.spots, err
}

type reader struct {
	text  []byte
	dec   jsontext.Decoder
	spots []spot
}

// each reads an object or an array, and calls do before each value in it, with the name of a member. It passes over any other
// value.
func (r *reader) each(open jsontext.Kind, do func(name string) error) error {
	if r.dec.PeekKind() != open {
		return r.dec.SkipValue()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for {
		if kind := r.dec.PeekKind(); kind == '}' || kind == ']' {
			_, err := r.dec.ReadToken()
			return err
		}
		name := ""
		if open == '{' {
			token, err := r.dec.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		if err := do(name); err != nil {
			return err
		}
	}
}

// part reads a member of a part of a message.
func (r *reader) part(name string) error {
	p, member := nowhere, ""
	switch name {
	case "image_url":
		p, member = image, "url"
	case "input_audio":
		p, member = audio, "data"
	case "file":
		if r.dec.PeekKind() == '{' {
			return r.file()
		}
	}
	if p == nowhere {
		return r.dec.SkipValue()
	}
	return r.each('{', func(name string) error {
		if name != member {
			return r.dec.SkipValue()
		}
		return r.string(p)
	})
}

// string reads a string that may refer to something.
func (r *reader) string(p place) error {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return err
	}
	end := int(r.dec.InputOffset())
	r.spots = append(r.spots, spot{place: p, start: end - len(raw), end: end, text: referring(raw)})
	return nil
}

// referring returns the text of a string if it can be one that refers to something, which is short; "" for any other.
func referring(raw jsontext.Value) string {
	const most = 8 << 10 // bytes of a URL; the escapes of a reference are none
	if raw.Kind() != '"' || len(raw) > most {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	for _, prefix := range []string{PartPrefix, FilePrefix, "http://", "https://"} {
		if strings.HasPrefix(string(text), prefix) {
			return string(text)
		}
	}
	return ""
}

// file reads the object of a file.
func (r *reader) file() error {
	at := len(r.spots)
	before := int(r.dec.InputOffset()) // the end of the name; a colon follows, and the object
	start := before + bytes.IndexByte(r.text[before:], '{')
	r.spots = append(r.spots, spot{place: file, object: true, start: start})
	err := r.each('{', func(name string) error {
		switch name {
		case "file_data":
			return r.string(file)
		case "file_id", "filename":
			raw, err := r.dec.ReadValue()
			if err != nil || raw.Kind() != '"' {
				return err
			}
			text, err := jsontext.AppendUnquote(nil, raw)
			if name == "file_id" {
				r.spots[at].fileID = string(text)
			} else {
				r.spots[at].filename = string(text)
			}
			return err
		default:
			return r.dec.SkipValue()
		}
	})
	r.spots[at].end = int(r.dec.InputOffset())
	return err
}
