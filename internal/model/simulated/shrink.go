package simulated

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// bodyLimit bounds a request: an image of 50 MB in base64, and as much again in other things.
	bodyLimit = 96 << 20
	// textLimit bounds what of a request is held in memory: all but its attachments.
	textLimit = 16 << 20
	// smallBody is the size up to which a body is read as it is.
	smallBody = 64 << 10
	// longString is the length from which on the base64 of a string is read and forgotten.
	longString = 4 << 10
)

var errTooLarge = errors.New("simulated: the body is too large")

// shrink copies a JSON text from src to out, but that base64 of a string that is long or longer, in a data URL or by itself, is
// replaced by what there is to know of it: of the bytes that it stands for neither the text nor the decoded form is held.
//
// In its place stands a zero byte and then the SHA-256 and the number of the bytes, or "!" if they cannot be decoded (see
// readAttachment). What is no JSON comes out as no JSON.
func shrink(out *bytes.Buffer, src io.Reader, long int) error {
	counted := &io.LimitedReader{R: src, N: bodyLimit + 1}
	s := shrinker{in: bufio.NewReaderSize(counted, 64<<10), out: out, long: long}
	err := s.copy()
	switch {
	case counted.N <= 0 || out.Len() > textLimit:
		return errTooLarge
	case err == io.EOF: //nolint:errorlint // a bufio.Reader returns it as it is
		return nil
	}
	return err
}

type shrinker struct {
	in    *bufio.Reader
	out   *bytes.Buffer
	long  int
	last  string // the string before, if it was short
	value bool   // the next string is the value of the member named last
}

func (s *shrinker) copy() error {
	for s.out.Len() <= textLimit {
		c, err := s.in.ReadByte()
		if err != nil {
			return err
		}
		s.out.WriteByte(c)
		switch c {
		case '"':
			if err := s.copyString(); err != nil {
				return err
			}
			s.value = false
		case ':':
			s.value = true
		case ',', '{', '[', '}', ']':
			s.value = false
		}
	}
	return errTooLarge
}

// copyString copies a string and its closing quote. The opening one is copied already.
func (s *shrinker) copyString() error {
	begin := s.out.Len()
	attached := s.value && holdsAttachment(s.last)
	for s.out.Len() <= textLimit {
		c, err := s.in.ReadByte()
		if err != nil {
			return err
		}
		s.out.WriteByte(c)
		switch c {
		case '\\':
			if c, err = s.in.ReadByte(); err != nil {
				return err
			}
			s.out.WriteByte(c)
		case '"':
			s.last = ""
			if text := s.out.Bytes()[begin : s.out.Len()-1]; len(text) <= len("input_audio") {
				s.last = string(text)
			}
			return nil
		}
		if attached && s.out.Len()-begin >= s.long {
			from, ok := base64Begins(s.out.Bytes()[begin:], s.last)
			if ok {
				return s.sumString(begin + from)
			}
			attached = false
		}
	}
	return errTooLarge
}

// holdsAttachment reports whether a member of the name can be an attachment: image_url.url, image_url (of a response's item),
// input_audio.data and file.file_data.
func holdsAttachment(name string) bool {
	return name == "url" || name == "image_url" || name == "data" || name == "file_data"
}

// base64Begins returns where in an attachment its base64 begins.
func base64Begins(text []byte, name string) (int, bool) {
	if !bytes.HasPrefix(text, []byte("data:")) {
		return 0, name == "data" || name == "file_data"
	}
	const mark = ";base64,"
	i := bytes.Index(text, []byte(mark))
	return i + len(mark), i >= 0
}

// sumString reads the rest of a string whose base64 begins at out[from:], and replaces it.
func (s *shrinker) sumString(from int) error {
	sum := newSummer()
	sum.add(s.out.Bytes()[from:])
	s.out.Truncate(from)
	for {
		chunk, err := s.in.ReadSlice('"')
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // a bufio.Reader returns it as it is
			return err
		}
		text, closed := bytes.CutSuffix(chunk, []byte(`"`))
		sum.add(text)
		if closed {
			break
		}
	}
	s.out.WriteString(`\u0000` + sum.mark() + `"`)
	return nil
}

// summer decodes base64 and keeps its sum.
type summer struct {
	hash    hash.Hash
	size    int64
	text    []byte // what is not decoded yet
	decoded []byte
	escaped bool // the character before was a backslash
	ended   bool // by padding
	broken  bool
}

func newSummer() *summer { return &summer{hash: sha256.New()} }

// add reads more of the text, as it stands in JSON: line breaks are not of it, and a solidus may be escaped.
func (s *summer) add(text []byte) {
	if !s.escaped && !bytes.ContainsAny(text, "\\\r\n") {
		s.text = append(s.text, text...)
	} else {
		for _, c := range text {
			switch {
			case s.escaped:
				s.escaped = false
				if c == '/' {
					s.text = append(s.text, c)
				} else if c != 'n' && c != 'r' {
					s.broken = true
				}
			case c == '\\':
				s.escaped = true
			case c != '\r' && c != '\n':
				s.text = append(s.text, c)
			}
		}
	}
	n := len(s.text) - len(s.text)%4
	s.decode(s.text[:n])
	s.text = append(s.text[:0], s.text[n:]...)
}

func (s *summer) decode(text []byte) {
	if len(text) == 0 {
		return
	}
	if s.broken || s.ended {
		s.broken = true
		return
	}
	most := base64.StdEncoding.DecodedLen(len(text))
	s.decoded = slices.Grow(s.decoded[:0], most)[:most]
	n, err := base64.StdEncoding.Strict().Decode(s.decoded, text)
	s.broken = err != nil
	s.ended = text[len(text)-1] == '='
	s.hash.Write(s.decoded[:n])
	s.size += int64(n)
}

// mark returns what stands in the place of the text.
func (s *summer) mark() string {
	if s.broken || s.escaped || len(s.text) > 0 || s.size == 0 {
		return "!"
	}
	return hex.EncodeToString(s.hash.Sum(nil)) + "." + strconv.FormatInt(s.size, 10)
}

// attachment is what there is to know of attached bytes.
type attachment struct {
	digest string // SHA-256 in hex
	size   int64
}

// readAttachment returns what base64 stands for, in the form that shrink leaves or as it came.
func readAttachment(text string) (attachment, bool) {
	mark, ok := strings.CutPrefix(text, "\x00")
	if !ok {
		sum := newSummer()
		sum.add([]byte(text))
		mark = sum.mark()
	}
	digest, size, ok := strings.Cut(mark, ".")
	n, err := strconv.ParseInt(size, 10, 64)
	return attachment{digest, n}, ok && err == nil && len(digest) == hex.EncodedLen(sha256.Size)
}

// tokens returns how many tokens the attachment counts for: 85, which is what an image is to OpenAI at the least, and up to
// 999 more by its digest, so that who sends it can see that all of it arrived.
func (a attachment) tokens() int {
	n, _ := strconv.ParseUint(a.digest[:8], 16, 32)
	return 85 + int(n%1000)
}
