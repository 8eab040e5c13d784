package simulated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// batchLines is the most lines of a batch: OpenAI's own bound.
const batchLines = 50_000

// batch is a batch, as it is written. Its lines are run when it is asked for after its time has come.
type batch struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Endpoint         string            `json:"endpoint"`
	Errors           *batchErrors      `json:"errors"`
	InputFileID      string            `json:"input_file_id"`
	CompletionWindow string            `json:"completion_window"`
	Status           string            `json:"status"`
	OutputFileID     *string           `json:"output_file_id"`
	ErrorFileID      *string           `json:"error_file_id"`
	CreatedAt        int64             `json:"created_at"`
	InProgressAt     *int64            `json:"in_progress_at"`
	ExpiresAt        *int64            `json:"expires_at"`
	FinalizingAt     *int64            `json:"finalizing_at"`
	CompletedAt      *int64            `json:"completed_at"`
	FailedAt         *int64            `json:"failed_at"`
	ExpiredAt        *int64            `json:"expired_at"`
	CancellingAt     *int64            `json:"cancelling_at"`
	CancelledAt      *int64            `json:"cancelled_at"`
	Counts           batchCounts       `json:"request_counts"`
	Metadata         map[string]string `json:"metadata"`

	mu    sync.Mutex
	due   time.Time
	lines []batchLine
}

type batchErrors struct {
	Object string       `json:"object"`
	Data   []batchError `json:"data"`
}

type batchError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param"`
	Line    int    `json:"line"`
}

type batchCounts struct {
	Total     int `json:"total"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
}

// batchLine is one request of a batch.
type batchLine struct {
	CustomID string          `json:"custom_id"`
	Method   string          `json:"method"`
	URL      string          `json:"url"`
	Body     json.RawMessage `json:"body"`
}

// The statuses that a batch ends in, and that before one of them.
const (
	completedBatch  = "completed"
	failedBatch     = "failed"
	cancellingBatch = "cancelling"
	cancelledBatch  = "cancelled"
)

func (s *Server) createBatch(w http.ResponseWriter, r *http.Request) {
	var req struct {
		InputFileID      string            `json:"input_file_id"`
		Endpoint         string            `json:"endpoint"`
		CompletionWindow string            `json:"completion_window"`
		Metadata         map[string]string `json:"metadata"`
	}
	if f := take(r, &req); f != nil {
		f.write(w)
		return
	}
	endpoints := []string{chatPath, "/v1/completions", "/v1/embeddings", "/v1/responses"}
	for name, value := range map[string]string{
		"input_file_id": req.InputFileID, "endpoint": req.Endpoint, "completion_window": req.CompletionWindow,
	} {
		if value == "" {
			missing(name).write(w)
			return
		}
	}
	switch {
	case !slices.Contains(endpoints, req.Endpoint):
		wrongValue("endpoint", req.Endpoint, endpoints...).write(w)
		return
	case req.CompletionWindow != "24h":
		bad("Invalid value: '"+req.CompletionWindow+"'. Value must be '24h'.", "completion_window", "invalid_value").write(w)
		return
	}
	file, ok := s.kept.file(req.InputFileID)
	if !ok {
		bad("No such File object: "+req.InputFileID, "input_file_id", "invalid_value").write(w)
		return
	}
	now := s.now()
	expires := now.Add(24 * time.Hour).Unix()
	b := &batch{
		ID: "batch_" + strconv.FormatUint(s.number.Add(1), 10), Object: "batch", Endpoint: req.Endpoint,
		InputFileID: file.ID, CompletionWindow: req.CompletionWindow, Status: "validating", CreatedAt: now.Unix(),
		ExpiresAt: &expires, Metadata: req.Metadata, due: now.Add(s.usual.latency.of(0)),
	}
	b.read(file.content)
	if b.Errors != nil {
		b.Status, b.FailedAt = failedBatch, at(now)
	}
	keep(s.kept, &s.kept.batches, b)
	s.writeBatch(w, b)
}

func at(t time.Time) *int64 {
	unix := t.Unix()
	return &unix
}

// read reads the batch's lines, or writes down what is wrong with them.
func (b *batch) read(content []byte) {
	seen := map[string]bool{}
	n := 0
	fail := func(code, message, param string) {
		if b.Errors == nil {
			b.Errors = &batchErrors{Object: "list"}
		}
		b.Errors.Data = append(b.Errors.Data, batchError{Code: code, Message: message, Param: param, Line: n})
	}
	for text := range bytes.Lines(content) {
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		n++
		var line batchLine
		switch {
		case n > batchLines:
			fail("too_many_tasks", "The batch has more than 50000 requests.", "")
			return
		case json.Unmarshal(text, &line) != nil:
			fail("invalid_json_line", "This line is not parseable as valid JSON.", "")
		case line.CustomID == "":
			fail("missing_required_parameter", "Missing required parameter: 'custom_id'.", "custom_id")
		case seen[line.CustomID]:
			fail("duplicate_custom_id", "The custom_id '"+line.CustomID+"' is a duplicate of one before.", "custom_id")
		case line.Method != http.MethodPost:
			fail("invalid_method", "The method must be 'POST'.", "method")
		case line.URL != b.Endpoint:
			fail("mismatched_endpoint", "The url does not match the endpoint of the batch, '"+b.Endpoint+"'.", "url")
		}
		seen[line.CustomID] = true
		b.lines = append(b.lines, line)
	}
	if n == 0 {
		fail("empty_file", "The input file is empty.", "")
	}
	b.Counts.Total = len(b.lines)
}

func (s *Server) withBatch(w http.ResponseWriter, r *http.Request, answer func(*batch)) {
	id := r.PathValue("id")
	b, ok := s.kept.batch(id)
	if !ok {
		(&fault{http.StatusNotFound, "No batch found with id '" + id + "'.", "", ""}).write(w)
		return
	}
	answer(b)
}

func (s *Server) getBatch(w http.ResponseWriter, r *http.Request) {
	s.withBatch(w, r, func(b *batch) {
		s.proceed(b)
		s.writeBatch(w, b)
	})
}

func (s *Server) listBatches(w http.ResponseWriter, r *http.Request) {
	limit, f := limitOf(r)
	if f != nil {
		f.write(w)
		return
	}
	id := func(b *batch) string { return b.ID }
	all, more := page(s.kept, &s.kept.batches, id, r.URL.Query().Get("after"), limit)
	written := make([]json.RawMessage, len(all))
	for i, b := range all {
		s.proceed(b)
		written[i] = b.encode()
	}
	l := listed(all, more, id)
	out := list[json.RawMessage]{Object: l.Object, Data: written, FirstID: l.FirstID, LastID: l.LastID, HasMore: l.HasMore}
	write(w, out)
}

func (s *Server) cancelBatch(w http.ResponseWriter, r *http.Request) {
	s.withBatch(w, r, func(b *batch) {
		s.proceed(b)
		b.mu.Lock()
		switch b.Status {
		case completedBatch, failedBatch, cancelledBatch:
			b.mu.Unlock()
			message := fmt.Sprintf("Cannot cancel a batch with status '%s'.", b.Status)
			(&fault{http.StatusConflict, message, "", ""}).write(w)
			return
		}
		b.Status, b.CancellingAt = cancellingBatch, at(s.now())
		b.mu.Unlock()
		s.writeBatch(w, b)
	})
}

func (s *Server) writeBatch(w http.ResponseWriter, b *batch) {
	write(w, b.encode())
}

func (b *batch) encode() json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return encode(b)
}

// proceed brings the batch to where it stands by now.
func (s *Server) proceed(b *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.now()
	switch b.Status {
	case cancellingBatch:
		b.Status, b.CancelledAt, b.lines = cancelledBatch, at(now), nil
	case "validating", "in_progress":
		if b.InProgressAt == nil {
			b.InProgressAt = at(now)
		}
		b.Status = "in_progress"
		if now.Before(b.due) {
			return
		}
		s.runBatch(b)
		b.Status, b.FinalizingAt, b.CompletedAt, b.lines = completedBatch, at(now), at(now), nil
	}
}
