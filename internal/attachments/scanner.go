package attachments

import (
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// bufferSize is what is read of a body at once.
const bufferSize = 32 << 10

// maxDepth is how deep it is known where a value stands. A part stands far above it.
const maxDepth = 16

// maxName bounds the names that are told apart, as they are spelled: those of the places of parts are short, with every
// character an escape too.
const maxName = 64

// scanner reads a JSON text, and knows where each of its strings stands. What is no JSON it passes on as it is, for whoever
// reads what is left to say so.
type scanner struct {
	from     io.Reader
	buf      []byte
	pos, end int
	err      error // what from ended in

	depth int
	path  [maxDepth]step
}

// step is an object or an array that is open.
type step struct {
	array bool
	index int    // of an array: that of the value
	name  string // of an object: that of the member, as far as it is told apart
	named bool   // of an object: a name was read, and its value comes
}

func newScanner(from io.Reader) *scanner {
	return &scanner{from: from, buf: make([]byte, bufferSize)}
}

// fill reads on, if everything was looked at. It returns what from ended in, if nothing is left.
func (s *scanner) fill() error {
	for s.pos == s.end {
		if s.err != nil {
			return s.err
		}
		var n int
		n, s.err = s.from.Read(s.buf)
		s.pos, s.end = 0, n
	}
	return nil
}

// next returns the next byte.
func (s *scanner) next() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	c := s.buf[s.pos]
	s.pos++
	return c, nil
}

// top returns the step that is open, or nil where it is not known.
func (s *scanner) top() *step {
	if s.depth == 0 || s.depth > maxDepth {
		return nil
	}
	return &s.path[s.depth-1]
}

// structure takes note of a byte between strings.
func (s *scanner) structure(c byte) {
	switch c {
	case '{', '[':
		s.depth++
		if t := s.top(); t != nil {
			*t = step{array: c == '['}
		}
	case '}', ']':
		s.depth = max(s.depth-1, 0)
	case ',':
		if t := s.top(); t != nil {
			t.index++
			t.name, t.named = "", false
		}
	}
}

// names reports whether a string that begins now is the name of a member.
func (s *scanner) names() bool {
	t := s.top()
	return t != nil && !t.array && !t.named
}

// named takes note of a member's name, as it is spelled, without its quotes.
func (s *scanner) named(spelled []byte) {
	t := s.top()
	t.named = true
	if len(spelled) > maxName {
		return
	}
	quoted := append(append([]byte{'"'}, spelled...), '"')
	if name, err := jsontext.AppendUnquote(nil, quoted); err == nil {
		t.name = string(name)
	}
}

// place returns what stands where the scanner is.
func (s *scanner) place() place {
	t := s.top()
	if t == nil || t.array {
		return nowhere
	}
	switch t.name {
	case "url", "image_url", "data", "file_data": // spare all others the rest
	default:
		return nowhere
	}
	var words []string
	for _, t := range s.path[:s.depth] {
		if t.array {
			words = append(words, "*")
		} else {
			words = append(words, t.name)
		}
	}
	if words[0] == "data" { // of a CloudEvent in structured mode
		words = words[1:]
	}
	return places[strings.Join(words, "/")]
}

// pointer returns an RFC 6901 JSON Pointer to where the scanner is. The names of the places of parts need no escapes.
func (s *scanner) pointer() string {
	var b strings.Builder
	for _, t := range s.path[:min(s.depth, maxDepth)] {
		b.WriteByte('/')
		if t.array {
			b.WriteString(strconv.Itoa(t.index))
		} else {
			b.WriteString(t.name)
		}
	}
	return b.String()
}

// place is what a string is, by where it stands.
type place int

const (
	nowhere place = iota
	image         // a URL of an image
	audio         // base64
	file          // a data URL, or base64
)

// places is where a body may hold parts: in the unified form, which is OpenAI's of chat completions, and in that of responses.
var places = map[string]place{
	"messages/*/content/*/image_url/url":    image,
	"messages/*/content/*/input_audio/data": audio,
	"messages/*/content/*/file/file_data":   file,
	"input/*/content/*/image_url":           image,
	"input/*/content/*/input_audio/data":    audio,
	"input/*/content/*/file_data":           file,
	"input/*/output/*/image_url":            image,
	"input/*/output/*/file_data":            file,
}
