package openaiapi

import (
	"strconv"
	"strings"
)

// openItem is an item of the output of which events were sent.
type openItem struct {
	index  int
	parts  []outputPart    // of a message; the last one is open
	call   *call           // nil: it is a message
	text   strings.Builder // of the open part, or the arguments of the call, as far as it was sent
	closed bool
}

func (it *openItem) prefix() string {
	if it.call != nil {
		return "fc_"
	}
	return "msg_"
}

func (it *openItem) item(s *ResponseEvents) outputItem {
	return outputItem{id: itemID(s.messageID, it.prefix(), it.index), parts: it.parts, call: it.call}
}

// choices returns the events of what the choices of a chunk say. A response is the first of them.
func (s *ResponseEvents) choices(list []byte) []Event {
	var out []Event
	all, _ := elements(list)
	for _, raw := range all {
		o, err := decodeObject(raw)
		if index := string(o.get("index")); err != nil || index != "" && index != "0" {
			continue
		}
		delta, err := decodeObject(o.get("delta"))
		if err != nil {
			continue // it has none
		}
		if t := delta.text("content"); t != "" {
			out = append(out, s.say("output_text", t)...)
		}
		if t := delta.text("refusal"); t != "" {
			out = append(out, s.say("refusal", t)...)
		}
		calls, _ := elements(delta.get("tool_calls"))
		for i, raw := range calls {
			if c, ok := readCall(raw, i); ok {
				out = append(out, s.calls(c)...)
			}
		}
	}
	return out
}

// say returns the events of a text that the message goes on with.
func (s *ResponseEvents) say(kind, delta string) []Event {
	if s.broken {
		return nil
	}
	var out []Event
	it := s.message()
	if it == nil {
		out = s.closeAll()
		it = &openItem{index: len(s.items)}
		out = s.open(out, it)
	}
	if it.closed { // it went on with calls
		s.broken = true
		return nil
	}
	if n := len(it.parts); n == 0 || it.parts[n-1].kind != kind {
		if n > 0 {
			out = s.closePart(out, it)
		}
		p := outputPart{kind: kind}
		it.parts = append(it.parts, p)
		out = s.partEvent(out, "response.content_part.added", it, func(w *builder) { w.raw("part", p.json()) })
	}
	if delta == "" {
		return out
	}
	it.text.WriteString(delta)
	return s.partEvent(out, "response."+kind+".delta", it, func(w *builder) {
		w.string("delta", delta)
		if kind == "output_text" {
			w.raw("logprobs", []byte("[]"))
		}
	})
}

func (s *ResponseEvents) message() *openItem {
	for _, it := range s.items {
		if it.call == nil {
			return it
		}
	}
	return nil
}

// calls returns the events of a call of a function, or of what one goes on with.
func (s *ResponseEvents) calls(c call) []Event {
	if s.broken {
		return nil
	}
	var out []Event
	it := s.callItem(c.index)
	if it == nil {
		out = s.closeAll()
		begun := c
		begun.arguments = ""
		it = &openItem{index: len(s.items), call: &begun}
		out = s.open(out, it)
	} else {
		it.call.name += c.name
	}
	if c.arguments == "" {
		return out
	}
	if it.closed {
		s.broken = true
		return nil
	}
	it.text.WriteString(c.arguments)
	return s.itemEvent(out, "response.function_call_arguments.delta", it, func(w *builder) { w.string("delta", c.arguments) })
}

// callItem returns the item of the call with the number.
func (s *ResponseEvents) callItem(n int) *openItem {
	for _, it := range s.items {
		if it.call != nil && it.call.index == n {
			return it
		}
	}
	return nil
}

func (s *ResponseEvents) open(out []Event, it *openItem) []Event {
	s.items = append(s.items, it)
	item := it.item(s).json(statusInProgress)
	return s.event(out, "response.output_item.added", func(w *builder) {
		w.raw("output_index", number(it.index))
		w.raw("item", item)
	})
}

func (s *ResponseEvents) closeAll() []Event {
	if len(s.items) == 0 {
		return nil
	}
	return s.close(s.items[len(s.items)-1], statusCompleted) // those before it are closed
}

// close returns the events that say an item whole, which is in the status from then on.
func (s *ResponseEvents) close(it *openItem, status string) []Event {
	if it.closed {
		return nil
	}
	it.closed = true
	var out []Event
	if it.call != nil {
		if it.text.Len() > 0 {
			it.call.arguments = it.text.String()
		}
		out = s.itemEvent(nil, "response.function_call_arguments.done", it, func(w *builder) {
			w.string("arguments", it.call.arguments)
			w.string("name", it.call.name)
		})
	} else {
		out = s.closePart(nil, it)
	}
	item := it.item(s).json(status)
	return s.event(out, "response.output_item.done", func(w *builder) {
		w.raw("output_index", number(it.index))
		w.raw("item", item)
	})
}

// closePart appends the events that say the last part of a message whole.
func (s *ResponseEvents) closePart(out []Event, it *openItem) []Event {
	if len(it.parts) == 0 {
		return out
	}
	if it.text.Len() > 0 {
		it.parts[len(it.parts)-1].text = it.text.String()
		it.text.Reset()
	}
	p := it.parts[len(it.parts)-1]
	out = s.partEvent(out, "response."+p.kind+".done", it, func(w *builder) {
		if p.kind == "refusal" {
			w.string("refusal", p.text)
			return
		}
		w.string("text", p.text)
		w.raw("logprobs", []byte("[]"))
	})
	return s.partEvent(out, "response.content_part.done", it, func(w *builder) { w.raw("part", p.json()) })
}

// itemEvent appends an event about an item.
func (s *ResponseEvents) itemEvent(out []Event, typ string, it *openItem, members func(*builder)) []Event {
	return s.event(out, typ, func(w *builder) {
		w.string("item_id", it.item(s).id)
		w.raw("output_index", number(it.index))
		members(w)
	})
}

// partEvent appends an event about the last part of a message.
func (s *ResponseEvents) partEvent(out []Event, typ string, it *openItem, members func(*builder)) []Event {
	return s.itemEvent(out, typ, it, func(w *builder) {
		w.raw("content_index", number(len(it.parts)-1))
		members(w)
	})
}

func number(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }
