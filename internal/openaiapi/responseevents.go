package openaiapi

import (
	"errors"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/tokens"
)

// ResponseEvents makes the stream of a Response out of the pieces of its answer and the result. Its methods are for one
// goroutine.
//
// Events are numbered as they come, so a stream that is made again out of the same pieces has the same numbers: that is how a
// caller goes on after the last event it has. Where the pieces are no longer there, what it gets is the end: the events that
// say each item whole, and the Response.
type ResponseEvents struct {
	echo      Echo
	messageID string
	model     string
	accepted  time.Time

	sent   *delivery
	items  []*openItem
	broken bool // what came does not fit what was sent
	begun  bool // what comes before all pieces is said
	told   bool // that it is in progress, of a response of the background
	next   int  // the number of the next event
	after  int  // the number of the last event that the caller has; -1: none
}

// NewResponseEvents returns the stream of the Response to a request that was accepted then, for a caller that has the events up
// to the number after; -1: none.
func NewResponseEvents(echo Echo, messageID, model string, accepted time.Time, after int) *ResponseEvents {
	return &ResponseEvents{
		echo: echo, messageID: messageID, model: model, accepted: accepted, sent: newDelivery(ChatCompletions), after: after,
	}
}

// firstPieces is the number of the first event that tells of a piece.
const firstPieces = 2

// Begin returns the events that come before all pieces. The other methods return them too where it was not called.
func (s *ResponseEvents) Begin() []Event {
	if s.begun {
		return nil
	}
	s.begun = true
	status, typ := events.StatusRunning, "response.in_progress"
	if s.echo.Background() {
		status, typ = events.StatusQueued, "response.queued"
	}
	response := s.echo.Pending(s.messageID, s.model, s.accepted, status)
	out := s.event(nil, "response.created", func(w *builder) { w.raw("response", response) })
	return s.event(out, typ, func(w *builder) { w.raw("response", response) })
}

// running returns the events that come before the first that tells of the answer.
func (s *ResponseEvents) running() []Event {
	out := s.Begin()
	if s.told || !s.echo.Background() {
		return out
	}
	s.told = true
	response := s.echo.Pending(s.messageID, s.model, s.accepted, events.StatusRunning)
	return s.event(out, "response.in_progress", func(w *builder) { w.raw("response", response) })
}

// Take returns the events of a piece.
func (s *ResponseEvents) Take(p tokens.Piece) []Event {
	if s.after >= firstPieces && p.ID.Attempt > 1 {
		// What the caller has may be of an attempt before, whose pieces are gone.
		s.sent.closed = true
	}
	pieces := s.sent.take(p)
	if len(pieces) == 0 {
		return nil
	}
	out := s.running()
	for _, choices := range pieces {
		out = append(out, s.choices(choices)...)
	}
	return out
}

// End returns the events that are left when the request has ended.
func (s *ResponseEvents) End(res events.Result) []Event {
	out := s.running()
	if Failure(res) != nil {
		response, _ := s.echo.Response(res) // without an output, nothing can be wrong with it
		s.skip()
		return s.event(out, "response.failed", func(w *builder) { w.raw("response", response) })
	}
	rest, err := s.sent.rest(res)
	faithful := !s.sent.held && len(rest) == 0
	if s.after >= firstPieces && s.next <= s.after && !faithful {
		return append(out, s.whole(res)...)
	}
	for _, choices := range rest {
		out = append(out, s.choices(choices)...)
	}
	if errors.Is(err, ErrInterrupted) || s.broken {
		return append(out, s.Break(Interrupted(s.messageID))...)
	}
	if err != nil {
		return append(out, s.Break(Unusable())...)
	}
	if len(s.items) == 0 {
		out = append(out, s.say("output_text", "")...)
	}
	r := ended(res)
	for _, it := range s.items {
		out = append(out, s.close(it, itemStatus(r.status))...)
		r.output = append(r.output, it.item(s).json(itemStatus(r.status)))
	}
	return s.last(out, r)
}

// whole returns the end of the stream for a caller of whom it is not known how much it has of each item: it has some of the
// events, and the pieces that made them are gone.
func (s *ResponseEvents) whole(res events.Result) []Event {
	items, err := outputItems(res)
	if err != nil {
		return s.Break(Unusable())
	}
	s.skip()
	r := ended(res)
	var out []Event
	for i, item := range items {
		it := &openItem{index: i, call: item.call}
		for n := range item.parts {
			it.parts = item.parts[:n+1]
			if n+1 < len(item.parts) {
				out = s.closePart(out, it)
			}
		}
		out = append(out, s.close(it, itemStatus(r.status))...)
		r.output = append(r.output, item.json(itemStatus(r.status)))
	}
	return s.last(out, r)
}

// last appends the event that ends the stream of a response that was answered.
func (s *ResponseEvents) last(out []Event, r response) []Event {
	s.skip()
	return s.event(out, "response."+r.status, func(w *builder) { w.raw("response", s.echo.json(r)) })
}

// Break returns the events of a stream that ends in an error.
func (s *ResponseEvents) Break(e *Error) []Event {
	out := s.Begin()
	s.skip()
	return s.event(out, "error", func(w *builder) {
		w.raw("code", nullable(e.Code))
		w.string("message", e.Message)
		w.raw("param", nullable(e.Param))
	})
}

// skip makes the next event one that the caller does not have.
func (s *ResponseEvents) skip() { s.next = max(s.next, s.after+1) }

// event appends an event, unless the caller has it.
func (s *ResponseEvents) event(to []Event, typ string, members func(*builder)) []Event {
	n := s.next
	s.next++
	if n <= s.after {
		return to
	}
	var w builder
	w.string("type", typ)
	members(&w)
	w.raw("sequence_number", number(n))
	return append(to, Event{Name: typ, Data: line(w.done()), Number: n})
}
