package batches

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/objects"
)

// line is one request of an input file.
type line struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// Bounds of an input file.
const (
	maxLines  = 50_000 // as OpenAI's
	maxFaults = 100    // that are told of a file
)

// namespace is the UUID namespace (RFC 9562, section 5.5) of the request ids of lines. It must never change while batches are
// under way.
var namespace = uuid.MustParse("0e9ab1f0-6a2e-5c1e-9f0a-6b4f6e1d2c77")

// requestID returns the request_id of a batch's line, from 0: the same each time that the line is handed in.
func requestID(batchID string, n int) string {
	return uuid.NewSHA1(namespace, []byte(batchID+"\x00"+strconv.Itoa(n))).String()
}

// messageID returns the message that the line is.
func (r *record) messageID(n int) string { return events.MessageID(r.Tenant, requestID(r.Batch.ID, n)) }

// checked reads a line, or says what is wrong with it.
func checked(text []byte, endpoint string, known map[string]bool) (line, string, string) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return l, "invalid_json_line", "This line is not parseable as valid JSON."
	}
	switch {
	case l.CustomID == "":
		return l, "missing_required_parameter", "The line has no custom_id."
	case len(l.CustomID) > 512:
		return l, "invalid_custom_id", "The custom_id is longer than 512 bytes."
	case known[l.CustomID]:
		return l, "duplicate_custom_id", "The custom_id is that of another line: each must be unique."
	case l.Method != "POST":
		return l, "invalid_method", "The method must be POST."
	case l.URL != endpoint:
		return l, "mismatched_endpoint", "The url is not the endpoint of the batch, " + endpoint + "."
	case len(l.Body) == 0 || l.Body[0] != '{':
		return l, "invalid_request", "The body must be an object."
	}
	known[l.CustomID] = true
	return l, "", ""
}

// split checks the input file and writes it in chunks. What is wrong with the file fails the batch, with all that is wrong.
func (s *Server) split(ctx context.Context, r *record) error {
	b := &r.Batch
	_, content, err := s.cfg.Objects.Get(ctx, inputKey(r.Tenant, b.InputFileID))
	if errors.Is(err, objects.ErrNotFound) {
		s.fail(r, FileError{Code: "file_not_found", Message: "The input file is not there, or no longer."})
		return nil
	}
	if err != nil {
		return fmt.Errorf("batches: input of %s: %w", b.ID, err)
	}
	defer func() { _ = content.Close() }()
	var faults []FileError
	fault := func(code, message string, n int) {
		if len(faults) < maxFaults {
			faults = append(faults, FileError{Code: code, Message: message, Line: &n})
		}
	}
	known := map[string]bool{}
	var chunk bytes.Buffer
	chunks, total, inChunk := 0, 0, 0
	flush := func() error {
		if inChunk == 0 || len(faults) > 0 {
			return nil
		}
		err := s.put(ctx, r, r.key("in", chunks), chunk.Bytes())
		chunks, inChunk = chunks+1, 0
		chunk.Reset()
		return err
	}
	lines := bufio.NewReaderSize(content, 64<<10)
	for n := 1; ; n++ {
		text, err := readLine(lines, s.maxLine())
		if errors.Is(err, errLongLine) {
			s.fail(r, FileError{Code: "line_too_long", Message: fmt.Sprintf("The line is over %d bytes.", s.maxLine()), Line: &n})
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("batches: input of %s: %w", b.ID, err)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if total++; total > maxLines {
				s.fail(r, FileError{Code: "too_many_requests", Message: fmt.Sprintf("The file has more than %d lines.", maxLines)})
				return nil
			}
			if _, code, message := checked(text, b.Endpoint, known); code != "" {
				fault(code, message, n)
			}
			chunk.Write(text)
			chunk.WriteByte('\n')
			if inChunk++; inChunk == chunkLines || chunk.Len() >= chunkBytes {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err != nil {
			break
		}
	}
	if err := flush(); err != nil {
		return err
	}
	switch {
	case total == 0:
		s.fail(r, FileError{Code: "empty_file", Message: "The input file is empty. Please ensure that the batch contains at least one request."})
	case len(faults) > 0:
		s.fail(r, faults...)
	default:
		r.Chunks = chunks
		b.Counts.Total, b.Status, b.InProgressAt = total, InProgress, at(s.now())
	}
	return nil
}

func (s *Server) fail(r *record, faults ...FileError) {
	r.Batch.Status, r.Batch.FailedAt = Failed, at(s.now())
	r.Batch.Errors = &FileErrors{Object: "list", Data: faults}
}

var errLongLine = errors.New("line is too long")

// readLine returns the next line without its end. Its error is [io.EOF] with the last.
func readLine(from *bufio.Reader, limit int) ([]byte, error) {
	var text []byte
	for {
		piece, err := from.ReadSlice('\n')
		if len(text)+len(piece) > limit {
			return nil, errLongLine
		}
		text = append(text, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(text, "\r\n"), err
		}
	}
}

// lines returns the lines of a chunk.
func (s *Server) lines(ctx context.Context, r *record, k int) ([]line, error) {
	b, err := s.get(ctx, r.key("in", k), chunkBytes+int64(s.maxLine())+1)
	if err != nil {
		return nil, err
	}
	var all []line
	for text := range bytes.Lines(b) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("batches: chunk %d of %s: %w", k, r.Batch.ID, err)
		}
		all = append(all, l)
	}
	return all, nil
}
