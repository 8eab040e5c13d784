package sqsbus

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/events"
)

// Decode reads the body of a message as an event in the JSON format of CloudEvents 1.0, whoever wrote it. With an error the
// event holds what could be read.
func Decode(body string) (events.Event, error) {
	r := reader{dec: jsontext.NewDecoder(bytes.NewBufferString(body), jsontext.AllowDuplicateNames(true))}
	if err := r.read(); err != nil {
		return r.event, fmt.Errorf("sqsbus: decode: no event in JSON: %w", err)
	}
	r.data()
	if !r.versioned {
		r.faults = append(r.faults, errors.New("required attribute missing: specversion"))
	}
	r.faults = append(r.faults, r.event.Validate())
	if err := errors.Join(r.faults...); err != nil {
		return r.event, fmt.Errorf("sqsbus: decode: %w", err)
	}
	return r.event, nil
}

// reader reads one event.
type reader struct {
	dec       *jsontext.Decoder
	event     events.Event
	versioned bool
	json      []byte // the data member
	base64    []byte // the data_base64 member, in quotes
	faults    []error
}

// read reads the whole text. An error says that it is no JSON object; what is wrong with a member is among the faults.
func (r *reader) read() error {
	if kind := r.dec.PeekKind(); kind != '{' {
		if _, err := r.dec.ReadToken(); err != nil {
			return syntax(err)
		}
		return errors.New("want an object")
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	for r.dec.PeekKind() != '}' {
		token, err := r.dec.ReadToken()
		if err != nil {
			return syntax(err)
		}
		name := token.String()
		value, err := r.dec.ReadValue()
		if err != nil {
			return syntax(err)
		}
		r.member(name, value)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return syntax(err)
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more after the object")
	}
	return nil
}

// syntax returns where the text is no JSON, and nothing of the text itself: it may be a prompt.
func syntax(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("invalid at byte %d", e.ByteOffset)
	}
	return errors.New("invalid")
}

// member takes in a member of the object. A null is an attribute that is not there. The value is only lent.
func (r *reader) member(name string, value jsontext.Value) {
	kind := value.Kind()
	switch {
	case name == memberData:
		r.json = bytes.Clone(value)
	case kind == 'n':
	case name == memberBase64:
		r.base64 = bytes.Clone(value)
	default:
		v, err := attributeValue(kind, value)
		if err == nil {
			err = r.event.SetAttribute(name, v)
		} else {
			err = fmt.Errorf("attribute %s: %w", name, err)
		}
		if err != nil {
			r.faults = append(r.faults, err)
			return
		}
		r.versioned = r.versioned || name == "specversion"
	}
}

func attributeValue(kind jsontext.Kind, value jsontext.Value) (any, error) {
	switch kind {
	case '"':
		return unquote(value)
	case 't', 'f':
		return kind == 't', nil
	case '0':
		n, err := strconv.ParseInt(string(value), 10, 32)
		if err != nil {
			return nil, errors.New("the number is no 32-bit integer")
		}
		return int32(n), nil
	default:
		return nil, errors.New("want a string, a boolean or an integer")
	}
}

func unquote(value jsontext.Value) (string, error) {
	if value.Kind() == '"' && !bytes.ContainsRune(value, '\\') {
		return string(value[1 : len(value)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", errors.New("invalid string")
	}
	return string(text), nil
}

// data sets the event's data (CloudEvents JSON format 1.0, section 3.1).
func (r *reader) data() {
	switch {
	case r.json != nil && r.base64 != nil:
		r.faults = append(r.faults, errors.New("both data and data_base64"))
	case r.base64 != nil:
		text, err := unquote(r.base64)
		if err == nil {
			r.event.Data, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			r.faults = append(r.faults, errors.New("data_base64 is no base64"))
		}
	case len(r.json) > 0 && r.json[0] == '"' && !jsonType(r.event.DataContentType):
		text, err := unquote(r.json)
		if err != nil {
			r.faults = append(r.faults, fmt.Errorf("data: %w", err))
		}
		r.event.Data = []byte(text)
	default:
		r.event.Data = r.json
	}
}

// jsonType reports whether data of the content type is JSON, as it is where none is stated.
func jsonType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == events.JSON || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "/json")
}
