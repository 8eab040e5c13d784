package simulated

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// words is a text of which only a sum and the number of words are kept: a word stands for a token.
type words struct {
	present bool
	sum     uint64
	n       int
}

// UnmarshalJSON implements [json.Unmarshaler].
func (w *words) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	text := raw[1:]
	switch {
	case raw[0] != '"':
		return &json.UnmarshalTypeError{Value: kindOf(raw)}
	case slices.Contains(raw, '\\'):
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		text = []byte(s)
	default:
		text = text[:len(text)-1]
	}
	*w = words{present: true, sum: xxhash.Sum64(text), n: countWords(text)}
	return nil
}

func countWords(text []byte) (n int) {
	inWord := false
	for _, c := range text {
		space := c == ' ' || c >= '\t' && c <= '\r'
		if !space && !inWord {
			n++
		}
		inWord = !space
	}
	return n
}

// content is what a message says: a text, or parts.
type content struct {
	text  words
	parts []part
	wrong string // what it is when it is neither
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *content) UnmarshalJSON(raw []byte) error {
	switch {
	case raw[0] == '[':
		c.parts = []part{}
		if json.Unmarshal(raw, &c.parts) != nil {
			c.wrong = "an array of something else"
		}
	case raw[0] == '"':
		return c.text.UnmarshalJSON(raw)
	case string(raw) != "null":
		c.wrong = kindOf(raw)
	}
	return nil
}

func (c *content) present() bool { return c.text.present || c.parts != nil }

// part is one part of a content. A chat's and a response's have other names for the same.
type part struct {
	Type       string `json:"type"`
	Text       words  `json:"text"`
	Refusal    words  `json:"refusal"`
	ImageURL   link   `json:"image_url"`
	InputAudio struct {
		Data   string `json:"data"`
		Format string `json:"format"`
	} `json:"input_audio"`
	File     file   `json:"file"`
	FileID   string `json:"file_id"`
	FileData string `json:"file_data"`
}

type file struct {
	ID   string `json:"file_id"`
	Data string `json:"file_data"`
}

// link is a URL, by itself or in an object.
type link struct{ url string }

// UnmarshalJSON implements [json.Unmarshaler].
func (l *link) UnmarshalJSON(raw []byte) error {
	if raw[0] == '{' {
		var object struct {
			URL string `json:"url"`
		}
		err := json.Unmarshal(raw, &object)
		l.url = object.URL
		return err
	}
	return json.Unmarshal(raw, &l.url)
}

// kind is what a part is, whatever an endpoint calls it.
type kind uint64

const (
	textPart kind = iota + 1
	imagePart
	audioPart
	filePart
)

// dialect is how an endpoint names the kinds of parts.
type dialect struct {
	kinds map[string]kind
	names []string // as errors list them
}

func newDialect(names ...string) dialect {
	d := dialect{kinds: map[string]kind{}, names: names}
	for _, n := range names {
		switch strings.TrimPrefix(n, "input_") {
		case "image_url", "image":
			d.kinds[n] = imagePart
		case "audio":
			d.kinds[n] = audioPart
		case "file":
			d.kinds[n] = filePart
		default:
			d.kinds[n] = textPart
		}
	}
	return d
}

var (
	chatDialect     = newDialect("text", "image_url", "input_audio", "refusal", "file")
	responseDialect = newDialect("input_text", "input_image", "output_text", "refusal", "input_audio", "input_file")
)
