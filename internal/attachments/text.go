package attachments

import (
	"errors"
	"io"
	"strconv"
)

var errSyntax = errors.New("attachments: a string has what JSON does not allow in one")

// text reads what is left of a string, without its escapes: first a piece that was read already, as it is spelled, and then
// from the scanner, up to and with the quote at its end. Its error is errSyntax or a [*ReadError].
type text struct {
	head    []byte
	scanner *scanner
	done    bool
}

// Read implements [io.Reader].
func (t *text) Read(p []byte) (int, error) {
	for n := 0; ; {
		if t.done {
			return n, io.EOF
		}
		src := t.head
		if len(src) == 0 {
			if n > 0 && t.scanner.pos == t.scanner.end {
				return n, nil // what there is, before a wait for more
			}
			if err := t.scanner.fill(); err != nil {
				return n, unexpected(err)
			}
			src = t.scanner.buf[t.scanner.pos:t.scanner.end]
		}
		run := plain(src[:min(len(src), len(p)-n)])
		copy(p[n:], src[:run])
		t.skip(run)
		if n += run; n == len(p) {
			return n, nil
		}
		if run == len(src) {
			continue
		}
		c, err := t.special()
		if err != nil {
			return n, err
		}
		if !t.done {
			p[n] = c
			n++
		}
	}
}

// plain returns how many bytes of b stand for themselves in a string.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

func (t *text) skip(n int) {
	if len(t.head) > 0 {
		t.head = t.head[n:]
		return
	}
	t.scanner.pos += n
}

func (t *text) next() (byte, error) {
	if len(t.head) > 0 {
		c := t.head[0]
		t.head = t.head[1:]
		return c, nil
	}
	c, err := t.scanner.next()
	if err != nil {
		return 0, unexpected(err)
	}
	return c, nil
}

// special reads what does not stand for itself: the quote at the end, or an escape. An escape of what is not ASCII is no
// base64, nor part of a media type, whatever it is.
func (t *text) special() (byte, error) {
	c, err := t.next()
	switch {
	case err != nil:
		return 0, err
	case c == '"':
		t.done = true
		return 0, nil
	case c != '\\':
		return 0, errSyntax
	}
	if c, err = t.next(); err != nil {
		return 0, err
	}
	switch c {
	case '"', '\\', '/':
		return c, nil
	case 'b', 'f', 'n', 'r', 't':
		return ' ', nil // no base64 either
	case 'u':
	default:
		return 0, errSyntax
	}
	var hex [4]byte
	for i := range hex {
		if hex[i], err = t.next(); err != nil {
			return 0, err
		}
	}
	r, err := strconv.ParseUint(string(hex[:]), 16, 16)
	switch {
	case err != nil:
		return 0, errSyntax
	case r >= 0x80:
		return '?', nil
	default:
		return byte(r), nil
	}
}

// unexpected is the error of a body that ends within a string.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &ReadError{err}
}
