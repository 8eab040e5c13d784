package batches

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// splitting is the state of reading an input file into chunks.
type splitting struct {
	s      *Server
	r      *record
	known  map[string]bool // custom ids
	faults []FileError
	chunk  bytes.Buffer // what is not written of the lines
	lines  int          // in chunk
	chunks int          // that were written
	total  int          // lines
}

// read reads all lines, of which none is longer than maxLine. Chunks are written until there is a fault, and then only faults
// are looked for.
func (p *splitting) read(ctx context.Context, lines *bufio.Reader, maxLine int) error {
	for n := 1; ; n++ {
		text, err := readLine(lines, maxLine)
		last := errors.Is(err, io.EOF)
		if err != nil && !last && !errors.Is(err, errLongLine) {
			return fmt.Errorf("batches: input of %s: %w", p.r.Batch.ID, err)
		}
		if errors.Is(err, errLongLine) {
			p.total++
			p.fault("line_too_long", fmt.Sprintf("The line is over %d bytes.", maxLine), &n)
		} else if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := p.line(ctx, text, n); err != nil {
				return err
			}
		}
		if p.total > maxLines {
			p.faults = p.faults[:min(len(p.faults), maxFaults-1)]
			p.fault("too_many_requests", fmt.Sprintf("The file has more than %d lines.", maxLines), nil)
			return nil
		}
		if last {
			return p.flush(ctx)
		}
	}
}

// line takes in a line, the n-th.
func (p *splitting) line(ctx context.Context, text []byte, n int) error {
	p.total++
	if _, code, message := checked(text, p.r.Batch.Endpoint, p.known); code != "" {
		p.fault(code, message, &n)
	}
	if len(p.faults) > 0 {
		return nil
	}
	p.chunk.Write(text)
	p.chunk.WriteByte('\n')
	p.lines++
	if p.lines == chunkLines || p.chunk.Len() >= chunkBytes {
		return p.flush(ctx)
	}
	return nil
}

func (p *splitting) fault(code, message string, n *int) {
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, FileError{Code: code, Message: message, Line: n})
	}
}

func (p *splitting) flush(ctx context.Context) error {
	if p.lines == 0 || len(p.faults) > 0 {
		return nil
	}
	err := p.s.put(ctx, p.r, p.r.key("in", p.chunks), p.chunk.Bytes())
	p.chunks, p.lines = p.chunks+1, 0
	p.chunk.Reset()
	return err
}

var errLongLine = errors.New("line is too long")

// readLine returns the next line without its end. Its error is [io.EOF] with the last, and errLongLine for one that is longer
// than the limit, which is passed over; after such a one there is always another, if only an empty one.
func readLine(from *bufio.Reader, limit int) ([]byte, error) {
	var text []byte
	long := false
	for {
		piece, err := from.ReadSlice('\n')
		if long = long || len(text)+len(piece) > limit; !long {
			text = append(text, piece...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull), long && errors.Is(err, io.EOF) && len(piece) > 0:
			// The end comes alone with the next read, as a last line that is empty.
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case long:
			return nil, errLongLine
		default:
			return bytes.TrimRight(text, "\r\n"), err
		}
	}
}
