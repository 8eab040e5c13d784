package replay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"baton.dev/baton/events"
)

// Recorder writes a trace. It is not safe for concurrent use.
type Recorder struct {
	out      io.Writer
	secret   []byte // of the labels
	lines    int
	requests int
}

// NewRecorder returns a recorder that writes to out, each line with one write.
func NewRecorder(out io.Writer) *Recorder {
	return &Recorder{out: out, secret: []byte(rand.Text())}
}

// Record writes the line of an event. An event that is no step of a request's way is passed over: one that was stored anew, a
// dead letter, a shadow, one that is not of the chain. The error is that of writing.
func (r *Recorder) Record(e events.Event) error {
	l, ok := r.line(e)
	if !ok {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("replay: record %s: %w", e.ID, err)
	}
	if _, err := r.out.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("replay: record: %w", err)
	}
	r.lines++
	if l.Event == requested {
		r.requests++
	}
	return nil
}

// Lines returns how many lines were written.
func (r *Recorder) Lines() int { return r.lines }

// Requests returns how many of them are arrivals.
func (r *Recorder) Requests() int { return r.requests }

// line returns what the trace says of the event.
func (r *Recorder) line(e events.Event) (Line, bool) {
	if _, ok := e.Type.Takes(); !ok || e.Copy > 0 || e.Dead != nil || e.Shadow || e.Subscriber > 0 {
		return Line{}, false
	}
	l := Line{
		V: Version, At: e.Time.UTC(), Event: e.Type.Step(), MessageID: e.Subject, Tenant: e.Tenant, Priority: e.Priority,
		Model: e.Model, Target: e.Target, Attempt: e.Attempt, Code: e.ErrorCode, Expiry: e.Expiry.UTC(), Same: r.label(e.CacheKey),
	}
	if e.Type == events.Scheduled {
		l.NotBefore = e.NotBefore.UTC()
	}
	if e.Type == events.Completed {
		l.result(e.Data)
	}
	return l, l.check() == nil
}

// label returns what is equal for equal keys in this trace alone.
func (r *Recorder) label(key string) string {
	if key == "" {
		return ""
	}
	h := hmac.New(sha256.New, r.secret)
	h.Write([]byte(key))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// reasons are the finish reasons that are written: a model server's own words could say anything.
var reasons = []string{"stop", "length", "content_filter", "tool_calls"}

// result takes over what a trace says of a result, and nothing of what the model said.
func (l *Line) result(data []byte) {
	var r struct {
		FinishReason string        `json:"finish_reason"`
		Usage        *events.Usage `json:"usage"`
		Cached       bool          `json:"cached"`
		Timings      struct {
			InferenceMS float64 `json:"inference_ms"`
		} `json:"timings"`
	}
	if json.Unmarshal(data, &r) != nil {
		return
	}
	l.Cached, l.Usage = r.Cached, r.Usage
	if !r.Cached {
		l.InferenceMS = &r.Timings.InferenceMS
	}
	if slices.Contains(reasons, r.FinishReason) {
		l.FinishReason = r.FinishReason
	}
}
