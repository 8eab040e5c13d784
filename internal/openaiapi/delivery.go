package openaiapi

import (
	"errors"
	"strconv"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/tokens"
)

// ErrInterrupted is for an answer that does not begin with what was sent of it.
var ErrInterrupted = errors.New("openaiapi: the answer does not begin with what was sent of it")

// delivery is what was sent of a streamed answer. It lets the pieces of one execution through as they come, for as long as none
// is missing. From then on it holds back, and the result says what is left: whoever gets it all gets the result's words in
// their order, or learns that it did not.
type delivery struct {
	endpoint Endpoint
	last     tokens.ID // of the last piece
	any      bool      // whether there was one
	held     bool
	closed   bool          // nothing more of any piece is to be sent
	told     map[int]*told // by choice
}

// told is what was sent of a choice.
type told struct {
	role             bool
	content, refusal strings.Builder // of a text completion, content is its text
	calls            []toldCall
	others           map[string]*strings.Builder // members that servers have of their own, such as reasoning; nil: no text
	finished         bool
}

// toldCall is what was sent of a call of a tool.
type toldCall struct {
	name, kind string
	arguments  strings.Builder
}

// said reports whether anything was sent that another execution may say otherwise.
func (t *told) said() bool {
	return t.content.Len() > 0 || t.refusal.Len() > 0 || len(t.calls) > 0 || len(t.others) > 0 || t.finished
}

func newDelivery(e Endpoint) *delivery { return &delivery{endpoint: e, told: map[int]*told{}} }

func (d *delivery) choice(index int) *told {
	t, ok := d.told[index]
	if !ok {
		t = &told{}
		d.told[index] = t
	}
	return t
}

// said reports whether anything was sent that another execution may say otherwise.
func (d *delivery) said() bool {
	for _, t := range d.told {
		if t.said() {
			return true
		}
	}
	return false
}

// take returns what of a piece is to be sent: arrays of choices, as they stand in chunks.
func (d *delivery) take(p tokens.Piece) [][]byte {
	switch {
	case !d.any || p.ID.Supersedes(d.last):
		// What came before is void, which does no harm if it was nothing.
		d.held = p.ID.N != 0 || d.said()
	case p.ID.Compare(d.last) <= 0:
		return nil // it was here before
	default:
		d.held = d.held || p.ID.N != d.last.N+1
	}
	d.any, d.last, d.held = true, p.ID, d.held || d.closed
	if d.held {
		return nil
	}
	if len(p.Choices) == 0 {
		return d.spoken(p.Text)
	}
	if !d.note(p.Choices) {
		d.held = true // it is not what it should be; the result will be
		return nil
	}
	return [][]byte{p.Choices}
}

// spoken returns the choices of a piece that is a text alone.
func (d *delivery) spoken(s string) [][]byte {
	if s == "" {
		return nil
	}
	t := d.choice(0)
	t.content.WriteString(s)
	if d.endpoint == Completions {
		return [][]byte{textChunk(0, s, null, null)}
	}
	var out [][]byte
	if !t.role {
		t.role = true
		out = append(out, deltaChunk(0, firstDelta(quoted("")), null, null))
	}
	var w builder
	w.string("content", s)
	return append(out, deltaChunk(0, w.done(), null, null))
}

// note writes down what is sent with the choices of a chunk. It reports whether it could read them.
func (d *delivery) note(choices []byte) bool {
	all, ok := elements(choices)
	for _, raw := range all {
		o, err := decodeObject(raw)
		if err != nil {
			return false
		}
		index, err := strconv.Atoi(string(o.get("index")))
		if err != nil && o.get("index") != nil || index < 0 {
			return false
		}
		t := d.choice(index)
		t.content.WriteString(o.text("text"))
		if delta := o.get("delta"); delta != nil && !t.note(delta) {
			return false
		}
		t.finished = t.finished || o.get("finish_reason") != nil
	}
	return ok
}

func (t *told) note(delta []byte) bool {
	o, err := decodeObject(delta)
	if err != nil {
		return false
	}
	t.role = t.role || o.get("role") != nil
	t.content.WriteString(o.text("content"))
	t.refusal.WriteString(o.text("refusal"))
	for _, m := range o {
		if !ownMember(m) {
			t.noteOther(m)
		}
	}
	calls, _ := elements(o.get("tool_calls"))
	for i, raw := range calls {
		call, ok := readCall(raw, i)
		// A call begins when all before it have.
		if !ok || call.index > len(t.calls) {
			return false
		}
		if call.index == len(t.calls) {
			t.calls = append(t.calls, toldCall{kind: call.kind})
		}
		t.calls[call.index].name += call.name
		t.calls[call.index].arguments.WriteString(call.arguments)
	}
	return true
}

// noteOther writes down a member of a delta that is none of OpenAI's text or calls.
func (t *told) noteOther(m member) {
	if t.others == nil {
		t.others = map[string]*strings.Builder{}
	}
	was, known := t.others[m.name]
	switch {
	case kindOf(m.value) != '"':
		t.others[m.name] = nil
	case !known:
		was = &strings.Builder{}
		t.others[m.name] = was
		fallthrough
	case was != nil:
		was.WriteString(text(m.value))
	}
}

// ownMember reports whether a member of a message is one that is read, or says nothing.
func ownMember(m member) bool {
	switch m.name {
	case "role", "content", "refusal", "tool_calls":
		return true
	}
	switch string(m.value) {
	case "null", "[]", "{}", `""`:
		return true
	}
	return false
}

// call is a call of a tool, or a piece of one.
type call struct {
	raw                   []byte
	index                 int
	id                    string
	kind, name, arguments string // of kind custom, the arguments are its input
}

// readCall reads the call at the place i of its list, which says a place of its own where it is a piece.
func readCall(raw []byte, i int) (call, bool) {
	o, err := decodeObject(raw)
	if err != nil {
		return call{}, false
	}
	c := call{raw: raw, index: i, id: o.text("id"), kind: o.text("type")}
	if given := o.get("index"); given != nil {
		if c.index, err = strconv.Atoi(string(given)); err != nil || c.index < 0 {
			return c, false
		}
	}
	of, arguments := o.get("function"), "arguments"
	if of == nil {
		of, arguments = o.get("custom"), "input"
	}
	if of == nil {
		return c, true
	}
	f, err := decodeObject(of)
	c.name, c.arguments = f.text("name"), f.text(arguments)
	return c, err == nil
}

// rest returns what is left to be sent of a result that completed, as arrays of choices.
func (d *delivery) rest(res events.Result) ([][]byte, error) {
	choices, err := finalChoices(d.endpoint, res)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	known := map[int]bool{}
	for _, c := range choices {
		known[c.index] = true
		left, err := c.after(d.endpoint, d.choice(c.index), d.held)
		if err != nil {
			return nil, err
		}
		out = append(out, left...)
	}
	for index, t := range d.told {
		if t.said() && !known[index] {
			return nil, ErrInterrupted
		}
	}
	return out, nil
}
