package simulated

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// batchResult is a line of a batch's output.
type batchResult struct {
	ID       string         `json:"id"`
	CustomID string         `json:"custom_id"`
	Response *batchResponse `json:"response"`
	Error    any            `json:"error"`
}

type batchResponse struct {
	Status    int             `json:"status_code"`
	RequestID string          `json:"request_id"`
	Body      json.RawMessage `json:"body"`
}

// runBatch answers all lines, by the server itself without its latency, and writes the batch's files.
func (s *Server) runBatch(b *batch) {
	inner := s.immediate()
	serve := map[string]http.HandlerFunc{
		chatPath: inner.chat, "/v1/completions": inner.complete, "/v1/embeddings": inner.embed, "/v1/responses": inner.respond,
	}[b.Endpoint]
	var output, errors bytes.Buffer
	for i, line := range b.lines {
		rec := &recorder{header: http.Header{}}
		r, err := http.NewRequest(line.Method, line.URL, bytes.NewReader(line.Body)) //nolint:noctx // it waits for nothing
		if err != nil {
			continue // the url is the batch's own endpoint
		}
		serve(rec, r)
		if !json.Valid(rec.body.Bytes()) { // a stream
			rec = &recorder{header: http.Header{}}
			bad("Streaming is not supported in a batch.", "stream", "").write(rec)
		}
		id := strconv.Itoa(i)
		result := batchResult{ID: "batch_req_" + id, CustomID: line.CustomID, Response: &batchResponse{
			Status: rec.status, RequestID: "req_" + id, Body: bytes.TrimSpace(rec.body.Bytes()),
		}}
		to := &output
		b.Counts.Completed++
		if rec.status != http.StatusOK {
			to = &errors
			b.Counts.Completed--
			b.Counts.Failed++
		}
		to.Write(append(encode(result), '\n'))
	}
	if output.Len() > 0 {
		b.OutputFileID = &s.store(b.ID+"_output.jsonl", "batch_output", output.Bytes()).ID
	}
	if errors.Len() > 0 {
		b.ErrorFileID = &s.store(b.ID+"_error.jsonl", "batch_output", errors.Bytes()).ID
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
