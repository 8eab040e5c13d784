package batches

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/attachments"
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
		if field, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return l, "invalid_request", "The line must be an object with custom_id, method, url and body; " +
				cmp.Or(field.Field, "it") + " is a JSON " + field.Value + "."
		}
		return l, "invalid_json_line", "This line is not parseable as valid JSON."
	}
	again := known[l.CustomID]
	known[l.CustomID] = true
	switch {
	case l.CustomID == "":
		return l, "missing_required_parameter", "The line has no custom_id."
	case len(l.CustomID) > 512:
		return l, "invalid_custom_id", "The custom_id is longer than 512 bytes."
	case again:
		return l, "duplicate_custom_id", "The custom_id is that of another line: each must be unique."
	case l.Method != http.MethodPost:
		return l, "invalid_method", "The method must be POST."
	case l.URL != endpoint:
		return l, "mismatched_endpoint", "The url is not the endpoint of the batch, " + endpoint + "."
	case len(l.Body) == 0 || l.Body[0] != '{':
		return l, "invalid_request", "The body must be an object."
	}
	return l, "", ""
}

// split checks the input file and writes it in chunks. What is wrong with the file fails the batch, with all that is wrong.
func (s *Server) split(ctx context.Context, r *record) error {
	b := &r.Batch
	_, content, err := attachments.OpenFile(ctx, s.cfg.Objects, r.Tenant, b.InputFileID)
	if errors.Is(err, objects.ErrNotFound) {
		s.fail(r, FileError{Code: "file_not_found", Message: "The input file is not there, or no longer."})
		return nil
	}
	if err != nil {
		return fmt.Errorf("batches: input of %s: %w", b.ID, err)
	}
	defer func() { _ = content.Close() }()
	in := splitting{s: s, r: r, known: map[string]bool{}}
	if err := in.read(ctx, bufio.NewReaderSize(content, 64<<10), s.maxLine()); err != nil {
		return err
	}
	r.Chunks = in.chunks // of a batch that fails too, so that they are removed
	switch {
	case len(in.faults) > 0:
		s.fail(r, in.faults...)
	case in.total == 0:
		s.fail(r, FileError{
			Code: "empty_file", Message: "The input file is empty. Please ensure that the batch contains at least one request.",
		})
	default:
		b.Counts.Total, b.Status, b.InProgressAt = in.total, InProgress, at(s.now())
	}
	return nil
}

func (s *Server) fail(r *record, faults ...FileError) {
	r.Batch.Status, r.Batch.FailedAt = Failed, at(s.now())
	r.Batch.Errors = &FileErrors{Object: "list", Data: faults}
}

// maxLine bounds a line of an input file, in bytes: a request's body, and what stands around it, or minLine if that is more. A
// line is held in memory, so parts that are as large as one may be in a body that is posted by itself do not go into a file:
// they are uploaded, and named by their ids.
func (s *Server) maxLine() int { return max(int(s.cfg.Catalog().Limits.Body)+aroundBody, minLine) }

const (
	aroundBody = 4 << 10
	minLine    = chunkBytes // what a line may have whatever the limit of a body is, since its parts do not count there
)

// lines returns the lines of a chunk.
func (s *Server) lines(ctx context.Context, r *record, k int) ([]line, error) {
	b, err := s.get(ctx, r.key("in", k), chunkBytes+max(attachments.MaxBody+aroundBody, minLine)+1)
	if err != nil {
		return nil, err
	}
	var all []line
	for text := range bytes.Lines(b) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return nil, fmt.Errorf("%w: chunk %d of %s: %w", errSpoiled, k, r.Batch.ID, err)
		}
		all = append(all, l)
	}
	return all, nil
}
