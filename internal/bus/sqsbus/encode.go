package sqsbus

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/events"
)

// contentType is the media type of an event in structured mode (CloudEvents JSON format 1.0, section 3).
const contentType = "application/cloudevents+json"

// The members of the JSON format that hold the data.
const (
	memberData   = "data"
	memberBase64 = "data_base64"
)

// Encode returns the event as the body of a message: the JSON format of CloudEvents 1.0, in characters that SQS accepts. Its
// data is read back byte for byte. An event that lacks a required attribute is an error, unless it is a dead letter, which
// may be no event of the chain; text that is no UTF-8 gets replacement characters.
func Encode(e events.Event) (string, error) {
	if e.Dead == nil {
		if err := e.Validate(); err != nil {
			return "", fmt.Errorf("sqsbus: encode: %w", err)
		}
	}
	const attributes = 1536 // bytes of them, mostly
	body := make([]byte, 0, attributes+len(e.Data)+len(e.Data)/8)
	separator := byte('{')
	for name, value := range e.Attributes() {
		if name == memberData || name == memberBase64 {
			return "", fmt.Errorf("sqsbus: encode %s: no attribute may have the name %s", e.ID, name)
		}
		body = appendMember(body, separator, name)
		separator = ','
		switch v := value.(type) {
		case int32:
			body = strconv.AppendInt(body, int64(v), 10)
		case bool:
			body = strconv.AppendBool(body, v)
		default:
			body = appendText(body, events.Text(v))
		}
	}
	switch {
	case len(e.Data) == 0:
	case e.DataContentType == events.JSON && verbatim(e.Data):
		body = appendMember(body, separator, memberData)
		body = append(body, e.Data...)
	default:
		body = appendMember(body, separator, memberBase64)
		body = append(body, '"')
		body = base64.StdEncoding.AppendEncode(body, e.Data)
		body = append(body, '"')
	}
	return string(append(body, '}')), nil
}

func appendMember(dst []byte, separator byte, name string) []byte {
	dst = append(dst, separator)
	dst = appendText(dst, name)
	return append(dst, ':')
}

// The two characters that JSON and UTF-8 allow and SQS does not (SendMessage, MessageBody). Of the others that it does not,
// JSON escapes the control characters, and the surrogates are not in UTF-8.
var refusedCharacters = [][2][]byte{
	{[]byte("\uFFFE"), []byte(`\ufffe`)},
	{[]byte("\uFFFF"), []byte(`\uffff`)},
}

// appendText appends the text as a JSON string.
func appendText(dst []byte, s string) []byte {
	start := len(dst)
	dst, err := jsontext.AppendQuote(dst, s)
	_ = err // says that what is no UTF-8 was replaced
	for _, c := range refusedCharacters {
		if bytes.Contains(dst[start:], c[0]) {
			dst = append(dst[:start], bytes.ReplaceAll(dst[start:], c[0], c[1])...)
		}
	}
	return dst
}

// maxNested is less than how deep jsontext reads; it stands for the depth, which is never more than the brackets.
const maxNested = 9_000

// verbatim reports whether the data can stand in the body as it is and be read back byte for byte: it is one JSON text
// without white space around it, of characters that SQS accepts, and not too deep to be read inside another.
func verbatim(data []byte) bool {
	for _, c := range refusedCharacters {
		if bytes.Contains(data, c[0]) {
			return false
		}
	}
	return !blank(data[0]) && !blank(data[len(data)-1]) &&
		jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true)) &&
		bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= maxNested
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
