package batches

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
)

// answered is a line of an output or error file.
type answered struct {
	ID       string    `json:"id"`
	CustomID string    `json:"custom_id"`
	Response *response `json:"response"`
	Error    *failure  `json:"error"`
}

type response struct {
	StatusCode int             `json:"status_code"`
	RequestID  string          `json:"request_id"`
	Body       json.RawMessage `json:"body"`
}

type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// verdict is what became of a line, as far as it is kept until the line is written: all of it but the response of a request
// that has ended, which can be large and is asked for again.
type verdict struct {
	answered

	good  bool // it is an answer, and no error
	ended bool // its response is that of a request that has ended
	late  bool // the window ran out for it
}

// collect writes the answers to the oldest chunk if all of it has ended, and reports whether it had. It goes through the
// chunk twice, so that it never holds more than one response: first it sees that all has ended, and which lines are answers
// and which are errors, and then it writes these and those. What has ended does not change between the two.
func (s *Server) collect(ctx context.Context, r *record) (bool, error) {
	k := r.Collected
	lines, err := s.lines(ctx, r, k)
	if err != nil {
		return false, err
	}
	caller, known := s.caller(r)
	verdicts := make([]verdict, len(lines))
	for i, l := range lines {
		v := verdict{answered: answered{ID: lineID(r, k, i), CustomID: l.CustomID}}
		if !known {
			v.Error = &failure{"tenant_gone", "The tenant of the batch is not configured any more."}
		} else {
			of := caller
			if over, err := s.judge(ctx, r, &of, k, i, l, &v); err != nil || !over {
				return false, err
			}
		}
		v.good = v.Error == nil && v.Response.StatusCode == http.StatusOK
		if v.ended {
			v.Response.Body = nil
		}
		verdicts[i] = v
	}
	out := &writing{ctx: ctx, s: s, r: r, caller: caller, verdicts: verdicts, good: true}
	if err := s.store(ctx, r, r.key("out", k), out); err != nil {
		return false, err
	}
	errs := &writing{ctx: ctx, s: s, r: r, caller: caller, verdicts: verdicts}
	if err := s.store(ctx, r, r.key("err", k), errs); err != nil {
		return false, err
	}
	for _, v := range verdicts {
		if v.late {
			r.Late++
		}
	}
	r.Batch.Counts.Completed += out.lines
	r.Batch.Counts.Failed += errs.lines
	r.OutBytes += out.bytes
	r.ErrBytes += errs.bytes
	r.Collected++
	return true, nil
}

// judge fills in what became of a line, and reports whether it is over. A line that was never handed in is over when the batch
// is to be canceled, or its window is over: it is told of like any other.
func (s *Server) judge(
	ctx context.Context, r *record, caller *ingest.Caller, k, i int, l line, v *verdict,
) (over bool, err error) {
	id := r.messageID(k*chunkLines + i)
	standing, p := s.cfg.Door.Look(ctx, caller, id)
	past := s.now().Sub(time.Unix(r.Batch.ExpiresAt, 0))
	switch {
	case p != nil && p.Status != http.StatusNotFound:
		return false, unknown(r, id, p)
	case r.Batch.Status == Cancelling && (p != nil || standing.Status() == events.StatusCanceled):
		v.Error = &failure{"batch_cancelled", "This request was not executed because the batch was cancelled."}
		return true, nil
	case past >= 0 && (p != nil || outOfTime(standing)), past >= grace && !standing.Terminal():
		v.late = true
		v.Error = &failure{"batch_expired", "This request could not be executed before the completion window expired."}
		return true, nil
	case p == nil && standing.Terminal():
		status, body := s.cfg.Dialect.Response(r.Batch.Endpoint, id, standing)
		v.Response, v.ended = &response{status, id, body}, true
		return true, nil
	case p == nil:
		return false, nil
	}
	// It was refused: it is refused again, or taken after all. It does not count against the rate again.
	switch h := s.hand(ctx, r, caller, k, i, l); h.fate {
	case refused, broken:
		v.Response = &response{h.status, id, h.body}
		return true, nil
	case taken, later:
	}
	return false, nil
}

func unknown(r *record, id string, p *problem.Problem) error {
	return fmt.Errorf("batches: look at %s of %s: %s", id, r.Batch.ID, p.Title)
}

// grace is how long after its window a batch waits for requests that were handed in. They end by the window, which is their
// deadline, but for one that left the chain as a dead letter.
const grace = 10 * time.Minute

// outOfTime reports whether a request failed by its deadline.
func outOfTime(st results.Standing) bool {
	if st.Ended == nil {
		return false
	}
	var res events.Result
	err := json.Unmarshal(st.Ended.Body, &res)
	return err == nil && res.Error != nil && (res.Error.Code == events.CodeDeadline || res.Error.Code == events.CodeExpired)
}

// lineID returns the id of an answer.
func lineID(r *record, k, i int) string {
	return "batch_req_" + strings.ReplaceAll(requestID(r.Batch.ID, k*chunkLines+i), "-", "")
}
