package openaiapi

import (
	"errors"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/tokens"
)

// Event is a server-sent event.
type Event struct {
	Name string // empty: it has none
	Data []byte // one line
	// Number is the event's sequence_number; -1 for those that have none.
	Number int
}

// Chunks makes the stream of a completion out of the pieces of its answer and the result. Its methods are for one goroutine.
type Chunks struct {
	request   *Request
	messageID string
	created   time.Time
	sent      *delivery
}

// NewChunks returns the stream of the answer to r, a chat or a text completion.
func NewChunks(r *Request, messageID string, created time.Time) *Chunks {
	return &Chunks{request: r, messageID: messageID, created: created, sent: newDelivery(r.Endpoint)}
}

// Begin returns the events that come before all pieces: none.
func (c *Chunks) Begin() []Event { return nil }

// Take returns the events of a piece.
func (c *Chunks) Take(p tokens.Piece) []Event { return c.chunks(c.sent.take(p)) }

// End returns the events that are left when the request has ended.
func (c *Chunks) End(res events.Result) []Event {
	if failed := Failure(res); failed != nil {
		return c.Break(failed)
	}
	rest, err := c.sent.rest(res)
	if errors.Is(err, ErrInterrupted) {
		return c.Break(Interrupted(c.messageID))
	}
	if err != nil {
		return c.Break(Unusable())
	}
	out := c.chunks(rest)
	if u := usage(res.Usage, true); u != nil && c.request.IncludeUsage {
		w := c.head()
		w.raw("choices", []byte("[]"))
		w.raw("usage", u)
		out = append(out, Event{Data: line(w.done()), Number: -1})
	}
	return append(out, Event{Data: []byte("[DONE]"), Number: -1})
}

// Break returns the events of a stream that ends in an error.
func (c *Chunks) Break(e *Error) []Event { return []Event{{Data: e.JSON(), Number: -1}} }

func (c *Chunks) chunks(choices [][]byte) []Event {
	out := make([]Event, len(choices))
	for i, list := range choices {
		w := c.head()
		w.raw("choices", list)
		if c.request.IncludeUsage {
			w.raw("usage", null) // as OpenAI has it in all chunks but the last
		}
		out[i] = Event{Data: line(w.done()), Number: -1}
	}
	return out
}

func (c *Chunks) head() *builder {
	object := c.request.Endpoint.object()
	if c.request.Endpoint == ChatCompletions {
		object += ".chunk"
	}
	return c.request.head(c.messageID, c.created.Unix(), object)
}
