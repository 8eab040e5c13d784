package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Verify returns content that ends in [io.EOF] only if it has the size and the digest that info says, and else in an error
// that is [ErrAltered]. A content that ends too early, or goes on for too long, is altered. It closes content.
func Verify(info Info, content io.ReadCloser) io.ReadCloser {
	v := &verified{info: info, content: content}
	if info.Digest != "" {
		v.hash = sha256.New()
	}
	return v
}

type verified struct {
	info    Info
	content io.ReadCloser
	hash    hash.Hash // nil: there is no digest to compare with
	read    int64
	err     error // what it ended in
}

// Read implements [io.Reader].
func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.content.Read(p)
	v.read += int64(n)
	if v.read > v.info.Size {
		n, err = 0, v.altered("it is longer")
	}
	if v.hash != nil {
		v.hash.Write(p[:n])
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if v.err = v.end(); v.err == nil {
			v.err = io.EOF
		}
	case errors.Is(err, ErrAltered):
		v.err = err
	default:
		v.err = fmt.Errorf("objects: read %s: %w", v.info.Key, err)
	}
	return n, v.err
}

// end says what is wrong with the content now that all of it is read.
func (v *verified) end() error {
	if v.read != v.info.Size {
		return v.altered("it is shorter")
	}
	if v.hash != nil && hex.EncodeToString(v.hash.Sum(nil)) != v.info.Digest {
		return v.altered("its digest is another")
	}
	return nil
}

func (v *verified) altered(why string) error {
	return fmt.Errorf("%w: %s: %s", ErrAltered, v.info.Key, why)
}

// Close implements [io.Closer].
func (v *verified) Close() error { return v.content.Close() }
