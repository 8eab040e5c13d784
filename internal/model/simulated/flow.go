package simulated

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// timeToFirst is the part of an answer's time in which a model reads the prompt, and after which its first token comes.
const timeToFirst = 0.4

// flow writes an answer while it is made, as server-sent events: the first token after a part of the time, the others evenly
// over the rest. What was written is sent before a wait, so that each event leaves when it is made.
type flow struct {
	w       http.ResponseWriter
	buf     []byte
	flushed bool
	wait    func(d time.Duration) error
	now     func() time.Time
	began   time.Time
	took    time.Duration
	n, i    int // tokens in all, and so far
}

func (s *Server) flow(ctx context.Context, w http.ResponseWriter, took time.Duration, tokens int) *flow {
	return &flow{
		w: w, took: took, n: tokens, now: s.now, began: s.now(),
		wait: func(d time.Duration) error { return s.wait(ctx, d) },
	}
}

// next waits until the next token is made. Its error is that nobody waits for it any more.
func (f *flow) next() error {
	share := timeToFirst
	if f.n > 1 {
		share += (1 - timeToFirst) * float64(f.i) / float64(f.n-1)
	}
	f.i++
	return f.until(time.Duration(share * float64(f.took)))
}

func (f *flow) until(d time.Duration) error {
	d -= f.now().Sub(f.began)
	if d <= 0 {
		return nil
	}
	if len(f.buf) > 0 {
		f.send()
		_ = http.NewResponseController(f.w).Flush() // what cannot flush sends it with the rest
	}
	return f.wait(d)
}

// data writes an event without a name.
func (f *flow) data(json []byte) {
	f.buf = append(f.buf, "data: "...)
	f.buf = append(f.buf, json...)
	f.buf = append(f.buf, "\n\n"...)
}

// named writes an event with a name.
func (f *flow) named(name string, json []byte) {
	f.buf = append(f.buf, "event: "...)
	f.buf = append(f.buf, name...)
	f.buf = append(f.buf, '\n')
	f.data(json)
}

// end waits until the answer is whole, and sends the rest.
func (f *flow) end() {
	if f.until(f.took) == nil {
		f.send()
	}
}

func (f *flow) send() {
	h := f.w.Header()
	h["Content-Type"] = contentTypeStream
	if !f.flushed && f.took <= 0 { // it is all of it
		h["Content-Length"] = []string{strconv.Itoa(len(f.buf))}
	}
	_, _ = f.w.Write(f.buf)
	f.buf, f.flushed = f.buf[:0], true
}

// streamChat writes the answer as chunks, and at the end [DONE].
func (s *Server) streamChat(w http.ResponseWriter, r *http.Request, t turn, a chatAnswer, withUsage bool) {
	longest := 1
	for i := range a.choices {
		longest = max(longest, len(a.choices[i].tokens))
	}
	f := s.flow(r.Context(), w, t.took, longest)
	if f.next() != nil {
		return
	}
	c := chunker{head: a.head.append(nil, "chat.completion.chunk"), null: withUsage, answer: &a}
	for i := range a.choices {
		f.data(c.opening(i))
	}
	for n := range longest {
		if n > 0 && f.next() != nil {
			return
		}
		for i := range a.choices {
			if n < len(a.choices[i].tokens) {
				f.data(c.token(i, n))
			}
		}
	}
	for i := range a.choices {
		f.data(c.closing(i))
	}
	if withUsage {
		c.begin()
		c.buf = append(c.buf, `],"usage":`...)
		c.buf = append(append(c.buf, encode(a.prompt.usage(a.choices))...), '}')
		f.data(c.buf)
	}
	f.data([]byte("[DONE]"))
	f.end()
}

// chunker makes the chunks of one answer. What a method returns is valid until the next call.
type chunker struct {
	head   []byte
	null   bool // each chunk says that the usage comes later
	answer *chatAnswer
	buf    []byte
}

func (c *chunker) begin() {
	c.buf = append(c.buf[:0], c.head...)
	c.buf = append(c.buf, `,"choices":[`...)
}

func (c *chunker) opening(i int) []byte {
	c.open(i)
	call := c.answer.choices[i].call
	if call == nil {
		c.buf = append(c.buf, `"role":"assistant","content":"","refusal":null`...)
	} else {
		at := 0
		t := toolCall{Index: &at, ID: callID(c.answer.number, i), Type: "function"}
		t.Function.Name = call.Name
		c.buf = append(c.buf, `"role":"assistant","content":null,"refusal":null,"tool_calls":`...)
		c.buf = append(c.buf, encode([]toolCall{t})...)
	}
	return c.close("null", "")
}

func (c *chunker) token(i, n int) []byte {
	from := &c.answer.choices[i]
	c.open(i)
	if from.call == nil {
		c.buf = append(c.buf, `"content":`...)
		c.buf = appendString(c.buf, from.tokens[n])
	} else {
		c.buf = append(c.buf, `"tool_calls":[{"index":0,"function":{"arguments":`...)
		c.buf = appendString(c.buf, from.tokens[n])
		c.buf = append(c.buf, `}}]`...)
	}
	probabilities := "null"
	if l := c.answer.logprobs(from, n, n+1); l != nil {
		probabilities = string(encode(l))
	}
	return c.close(probabilities, "")
}

func (c *chunker) closing(i int) []byte {
	c.open(i)
	return c.close("null", c.answer.choices[i].finish)
}

func (c *chunker) open(i int) {
	c.begin()
	c.buf = append(c.buf, `{"index":`...)
	c.buf = strconv.AppendInt(c.buf, int64(i), 10)
	c.buf = append(c.buf, `,"delta":{`...)
}

func (c *chunker) close(probabilities, finish string) []byte {
	c.buf = append(c.buf, `},"logprobs":`...)
	c.buf = append(c.buf, probabilities...)
	c.buf = append(c.buf, `,"finish_reason":`...)
	c.buf = append(appendNullable(c.buf, finish), `}]`...)
	if c.null {
		c.buf = append(c.buf, `,"usage":null`...)
	}
	c.buf = append(c.buf, '}')
	return c.buf
}
