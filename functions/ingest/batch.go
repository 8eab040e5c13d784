package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/internal/problem"
)

const (
	// mostInBatch is how many events a batch has at most.
	mostInBatch = 100
	// batchBodies is how large a batch may be, in bodies of the limit: of requests of the usual size a hundred fit.
	batchBodies = 16
	// batchAtOnce is how many events of a batch are stored at once: most of the time goes to waiting for the broker.
	batchAtOnce = 16
)

// batched is what became of one event of a batch.
type batched struct {
	Status     int              `json:"status"` // as it would be of a request by itself
	MessageID  string           `json:"message_id,omitempty"`
	RequestID  string           `json:"request_id,omitempty"`
	Problem    *problem.Problem `json:"problem,omitempty"`
	RetryAfter int              `json:"retry_after,omitempty"` // seconds, where the problem may pass
}

// postBatch answers POST /v1/events with a batch of events (CloudEvents HTTP binding 1.0, section 3.3): an array of 1 to
// mostInBatch events in structured mode, each of which goes through the same door as one that is posted by itself, with the
// same ids, and counts as one against the tenant's rate.
//
// What is no array is refused whole, and nothing of it is taken. The answer to an array is an array in the same order: 202
// if every event was accepted, and 207 if any was not. A caller that got no answer sends the whole batch again, and one that
// got 207 those events whose problem may pass: what was accepted is the same message again.
func (s *Server) postBatch(x *Exchange, r *http.Request) *problem.Problem {
	x.TakeTime()
	body, p := readBody(x, r, batchBodies*bodyLimit(x.Catalog))
	if p != nil {
		return p
	}
	x.AnswerIn(answerTime)
	list, p := splitBatch(body)
	if p != nil {
		return p
	}
	trace, state := traceContext(r.Header["Traceparent"], r.Header["Tracestate"])
	fresh := wantsFresh(r.Header)
	answers := make([]batched, len(list))
	places := make(chan struct{}, batchAtOnce)
	var all sync.WaitGroup
	for i, event := range list {
		if i > 0 { // the first is what was counted for the HTTP request
			if p := s.Paced(r.Context(), &x.Caller); p != nil {
				answers[i] = refusal(p)
				continue
			}
		}
		places <- struct{}{}
		c := x.Caller
		all.Go(func() {
			defer func() { <-places }()
			rc, p := s.takeBatched(r.Context(), &c, event, i, func(sub *Submission) {
				sub.Fresh = fresh
				if sub.TraceParent == "" {
					sub.TraceParent, sub.TraceState = trace, state
				}
			})
			if p != nil {
				answers[i] = refusal(p)
				return
			}
			answers[i] = batched{Status: http.StatusAccepted, MessageID: rc.MessageID, RequestID: rc.RequestID}
		})
	}
	all.Wait()
	status := http.StatusAccepted
	for _, a := range answers {
		if a.Problem != nil {
			status = http.StatusMultiStatus
		}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answers); err != nil { // strings and numbers always encode
		panic(err)
	}
	x.WriteJSON(status, text.Bytes())
	return nil
}

// splitBatch returns the events of a batch as they are written.
func splitBatch(body []byte) ([]jsontext.Value, *problem.Problem) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, problem.New(problem.Malformed, "The body is empty: send a JSON array of events.")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if dec.PeekKind() != '[' {
		if err := dec.SkipValue(); err != nil {
			return nil, malformed(body, err)
		}
		return nil, invalid([]problem.FieldError{{Detail: "must be an array of events, each in structured mode"}})
	}
	var list []jsontext.Value
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed(body, err)
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return nil, malformed(body, err)
		}
		list = append(list, v.Clone())
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed(body, err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, malformed(body, &placed{offset: dec.InputOffset(), err: errTrailing})
	}
	if n := len(list); n == 0 || n > mostInBatch {
		return nil, invalid([]problem.FieldError{{
			Detail: fmt.Sprintf("must be an array of 1 to %d events: it has %d", mostInBatch, n),
		}})
	}
	return list, nil
}

// takeBatched takes in one event of a batch, the ith from 0. A panic is its own problem, and not the batch's.
func (s *Server) takeBatched(
	ctx context.Context, c *Caller, event []byte, i int, complete func(*Submission),
) (rc Receipt, p *problem.Problem) {
	defer s.recovered(c, &p)
	at := "/" + strconv.Itoa(i)
	body, p := s.TakeBody(ctx, c, event)
	if p != nil {
		return rc, within(at, p)
	}
	e, p := s.structured(ctx, c, body)
	if p != nil {
		return rc, within(at, p)
	}
	sub := s.fromEvent(e)
	moveTo(at, sub.faults)
	sub.at = at + sub.at
	complete(&sub)
	return s.Submit(ctx, c, sub)
}

// recovered turns a panic into a problem. The stack goes to the log and never to the caller.
func (s *Server) recovered(c *Caller, p **problem.Problem) {
	if v := recover(); v != nil {
		s.cfg.Log.Error("panic", "message_id", c.MessageID, "panic", v, "stack", string(debug.Stack()))
		*p = problem.New(problem.Internal, "")
	}
}

func refusal(p *problem.Problem) batched {
	b := batched{Status: p.Status, Problem: p}
	b.RetryAfter, _ = strconv.Atoi(p.Header.Get("Retry-After")) // 0: it names none
	return b
}
