package attachments

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/objects"
)

// segment is a piece of a body: bytes that are there, or what has to be opened, in base64.
type segment struct {
	bytes []byte
	// source opens the content, from its start, each time; nil: there is none.
	source func(ctx context.Context) (io.ReadCloser, error)
	size   int64 // of the content, not encoded
}

// bodyOf returns the body that the segments are together.
func bodyOf(segments []segment) model.Body {
	var size int64
	for _, s := range segments {
		size += int64(len(s.bytes)) + base64Size(s.size)
	}
	return model.Body{Size: size, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return &bodyReader{ctx: ctx, segments: segments}, nil
	}}
}

// base64Size returns how long so many bytes are in base64, with padding.
func base64Size(n int64) int64 { return (n + 2) / 3 * 4 }

// blockSize is what is encoded at once: a multiple of three bytes, so that no padding comes between blocks.
const blockSize = 24 << 10

// bodyReader reads a body, one segment after the other.
type bodyReader struct {
	ctx      context.Context //nolint:containedctx // that of the Open that it is the answer of
	segments []segment
	bytes    bytes.Reader // of the segment that is read, and then of a block in base64
	content  io.ReadCloser
	left     int64 // of the content
	block    []byte
	encoded  []byte
	err      error
}

// Read implements [io.Reader]. What comes in the place of the end says why the body is not whole: a [*model.Error] of a part
// that is missing or altered.
func (r *bodyReader) Read(p []byte) (int, error) {
	for r.err == nil && r.bytes.Len() == 0 {
		r.err = r.advance()
	}
	if r.err != nil {
		return 0, r.err
	}
	return r.bytes.Read(p)
}

// advance makes the next bytes to read.
func (r *bodyReader) advance() error {
	if r.content != nil {
		return r.encode()
	}
	if len(r.segments) == 0 {
		return io.EOF
	}
	next := r.segments[0]
	r.segments = r.segments[1:]
	if next.source == nil {
		r.bytes.Reset(next.bytes)
		return nil
	}
	var err error
	r.content, err = next.source(r.ctx)
	r.left = next.size
	return err
}

// encode makes a block of base64 of what is next of the content.
func (r *bodyReader) encode() error {
	if r.block == nil {
		r.block, r.encoded = make([]byte, blockSize), make([]byte, base64Size(blockSize))
	}
	n, err := io.ReadFull(r.content, r.block)
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	r.left -= int64(n)
	switch {
	case err != nil && !ended:
		return refused(err)
	case r.left < 0, ended && r.left > 0:
		return refused(fmt.Errorf("%w: it is not as long as it was", objects.ErrAltered))
	case ended:
		err = r.content.Close()
		if r.content = nil; err != nil {
			return err
		}
	}
	base64.StdEncoding.Encode(r.encoded, r.block[:n])
	r.bytes.Reset(r.encoded[:base64Size(int64(n))])
	return nil
}

// Close implements [io.Closer].
func (r *bodyReader) Close() error {
	if r.err == nil {
		r.err = errors.New("attachments: the body is closed")
	}
	if r.content == nil {
		return nil
	}
	return r.content.Close()
}
