package attachments

import (
	"bytes"
	"errors"
	"io"
)

var (
	errTooLarge = errors.New("attachments: the part is too large")
	errTooMuch  = errors.New("attachments: the parts are too large together")
)

var errPadding = errors.New("attachments: base64 goes on after its padding")

// padded refuses base64 that goes on after its padding: the decoder does not see it where a piece that it reads ends there.
type padded struct {
	from  io.Reader
	ended bool // the padding was read, or a part of it
}

// Read implements [io.Reader].
func (p *padded) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	read := b[:n]
	if !p.ended {
		i := bytes.IndexByte(read, '=')
		if i < 0 {
			return n, err
		}
		p.ended, read = true, read[i:]
	}
	if len(bytes.TrimLeft(read, "=")) > 0 {
		return 0, errPadding
	}
	return n, err
}

// part is the content of a part, within its bounds.
type part struct {
	from       io.Reader
	most, left int64
	err        error // why it ended too early
}

// Read implements [io.Reader].
func (p *part) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.from.Read(b)
	p.most -= int64(n)
	p.left -= int64(n)
	switch {
	case p.most < 0:
		p.err = errTooLarge
	case p.left < 0:
		p.err = errTooMuch
	case err != nil && !errors.Is(err, io.EOF):
		p.err = err
	default:
		return n, err
	}
	return 0, p.err
}
