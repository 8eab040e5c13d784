package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// maxLine bounds a line of a trace, in bytes. None is near it.
	maxLine = 64 << 10
	// maxFaults is how many faults of a trace are told at once.
	maxFaults = 10
)

// Read reads a trace to its end. Its error names each line that is wrong, ten at most, and what is wrong with it.
func Read(r io.Reader) (*Trace, error) {
	in := bufio.NewReaderSize(r, maxLine)
	a := newAssembly()
	var faults []error
	for n := 1; ; n++ {
		text, err := in.ReadSlice('\n')
		last := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			// What follows is not known to begin a line.
			return nil, faulty(append(faults, fmt.Errorf("line %d: is over %d bytes: this is no trace", n, maxLine)))
		case err != nil && !last:
			return nil, fmt.Errorf("replay: read trace: line %d: %w", n, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			switch l, err := parse(text); {
			case err == nil:
				a.add(l)
			case last && a.lines > 0 && !json.Valid(text):
				a.cut = true // the recorder was stopped in the middle of it
			default:
				faults = append(faults, fmt.Errorf("line %d: %w", n, err))
			}
		}
		if len(faults) == maxFaults {
			return nil, faulty(append(faults, errors.New("and perhaps more: the rest was not read")))
		}
		if last {
			break
		}
	}
	if len(faults) > 0 {
		return nil, faulty(faults)
	}
	t := a.trace()
	if len(t.Messages) == 0 {
		return nil, errors.New("replay: the trace has no arrivals: record one with baton watch --trace FILE while requests are sent")
	}
	return t, nil
}

func faulty(faults []error) error {
	return fmt.Errorf("replay: the trace is not valid:\n%w", errors.Join(faults...))
}

// parse reads one line.
func parse(text []byte) (Line, error) {
	var version struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Line{}, unreadable(err)
	}
	switch {
	case version.V == nil:
		return Line{}, errors.New(`has no "v": this is no line of a trace`)
	case *version.V != Version:
		return Line{}, fmt.Errorf("version %d is unknown: this program reads version %d", *version.V, Version)
	}
	var l Line
	if err := json.Unmarshal(text, &l); err != nil {
		return Line{}, unreadable(err)
	}
	err := l.check()
	return l, err
}

// unreadable says what is wrong with a line's JSON, without what the line says.
func unreadable(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%q is not of the type it should be", wrong.Field)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is not JSON: at byte %d: %w", syntax.Offset, syntax)
	}
	return errors.New("is no line of a trace: a time may not be RFC 3339")
}
