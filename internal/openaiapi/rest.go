package openaiapi

import (
	"strings"
)

var null = []byte("null")

// after returns what is left of the choice for a caller that was told so much of it, and from whom something was held back or
// not.
func (c choice) after(e Endpoint, t *told, held bool) ([][]byte, error) {
	var out [][]byte
	var err error
	if e == Completions {
		out, err = c.restOfText(t)
	} else {
		out, err = c.restOfMessage(t, held)
	}
	switch {
	case err != nil:
		return nil, err
	case t.finished && len(out) > 0:
		return nil, ErrInterrupted
	case t.finished:
		return nil, nil
	case e == Completions:
		return append(out, textChunk(c.index, "", null, c.finish)), nil
	default:
		return append(out, deltaChunk(c.index, []byte("{}"), null, c.finish)), nil
	}
}

func (c choice) restOfText(t *told) ([][]byte, error) {
	left, ok := strings.CutPrefix(c.text, t.content.String())
	if !ok {
		return nil, ErrInterrupted
	}
	if left == "" {
		return nil, nil
	}
	logs := c.logs
	if t.said() {
		logs = null // they are of the whole text
	}
	return [][]byte{textChunk(c.index, left, logs, null)}, nil
}

func (c choice) restOfMessage(t *told, held bool) ([][]byte, error) {
	m, err := decodeObject(c.message)
	if err != nil {
		return nil, err
	}
	content, ok := strings.CutPrefix(contentText(m.get("content")), t.content.String())
	refusal, same := strings.CutPrefix(m.text("refusal"), t.refusal.String())
	if !ok || !same {
		return nil, ErrInterrupted
	}
	fresh := !t.said()
	var out [][]byte
	send := func(delta, logs []byte) { out = append(out, deltaChunk(c.index, delta, logs, null)) }
	if !t.role {
		first := quoted("")
		if m.get("content") == nil {
			first = null
		}
		send(firstDelta(first), null)
	}
	others, err := t.restOfOthers(m, held)
	if err != nil {
		return nil, err
	}
	if others != nil {
		send(others, null)
	}
	one := func(name, value string, logs []byte) {
		if value != "" {
			var w builder
			w.string(name, value)
			send(w.done(), logs)
		}
	}
	logs := c.logs
	if !fresh {
		logs = null // they are of the whole content
	}
	one("content", content, logs)
	one("refusal", refusal, null)
	calls, _ := elements(m.get("tool_calls"))
	if len(t.calls) > len(calls) {
		return nil, ErrInterrupted
	}
	for i, raw := range calls {
		delta, err := t.restOfCall(raw, i)
		if err != nil {
			return nil, err
		}
		if delta != nil {
			var w builder
			w.raw("tool_calls", array([][]byte{delta}))
			send(w.done(), null)
		}
	}
	return out, nil
}

// restOfCall returns what is left of the i-th call, as it stands in the tool_calls of a delta; nil: nothing. The id that
// another execution gave it does not matter: the caller answers by the one it was told.
func (t *told) restOfCall(raw []byte, i int) ([]byte, error) {
	final, ok := readCall(raw, i)
	if !ok {
		return nil, ErrInterrupted
	}
	var w builder
	w.raw("index", number(i))
	if i >= len(t.calls) {
		o, err := decodeObject(raw)
		for _, m := range o {
			if m.name != "index" {
				w.raw(m.name, m.value)
			}
		}
		return w.done(), err
	}
	was := &t.calls[i]
	left, ok := strings.CutPrefix(final.arguments, was.arguments.String())
	if !ok || was.name != final.name {
		return nil, ErrInterrupted
	}
	if left == "" {
		return nil, nil
	}
	var of builder
	if final.kind == "custom" {
		of.string("input", left)
		w.raw("custom", of.done())
	} else {
		of.string("arguments", left)
		w.raw("function", of.done())
	}
	return w.done(), nil
}

// restOfOthers returns a delta of what a message says beside content, refusal and calls, such as audio or a server's own
// reasoning, and has not been told; nil: nothing. What is no text cannot be told from the middle.
func (t *told) restOfOthers(m object, held bool) ([]byte, error) {
	if len(t.others) > 0 && !held {
		return nil, nil
	}
	var w builder
	found := 0
	for _, member := range m {
		if ownMember(member) {
			continue
		}
		was, known := t.others[member.name]
		if !known {
			w.raw(member.name, member.value)
			continue
		}
		found++
		if was == nil || kindOf(member.value) != '"' {
			return nil, ErrInterrupted
		}
		left, ok := strings.CutPrefix(text(member.value), was.String())
		if !ok {
			return nil, ErrInterrupted
		}
		if left != "" {
			w.string(member.name, left)
		}
	}
	if found < len(t.others) {
		return nil, ErrInterrupted
	}
	if len(w.b) == 0 {
		return nil, nil
	}
	return w.done(), nil
}

// contentText returns the text of a content: a string, or the text parts of an array one after the other.
func contentText(raw []byte) string {
	parts, ok := elements(raw)
	if !ok {
		return text(raw)
	}
	var b strings.Builder
	for _, p := range parts {
		if o, err := decodeObject(p); err == nil && o.text("type") == "text" {
			b.WriteString(o.text("text"))
		}
	}
	return b.String()
}

// firstDelta returns the delta that a streamed message begins with.
func firstDelta(content []byte) []byte {
	var w builder
	w.string("role", "assistant")
	w.raw("content", content)
	return w.done()
}

// deltaChunk returns the choices of a chunk of a chat: one, with the delta.
func deltaChunk(index int, delta, logs, finish []byte) []byte {
	var w builder
	w.raw("index", number(index))
	w.raw("delta", delta)
	w.raw("logprobs", logs)
	w.raw("finish_reason", finish)
	return array([][]byte{w.done()})
}

// textChunk returns the choices of a chunk of a text completion: one, with the text.
func textChunk(index int, s string, logs, finish []byte) []byte {
	var w builder
	w.string("text", s)
	w.raw("index", number(index))
	w.raw("logprobs", logs)
	w.raw("finish_reason", finish)
	return array([][]byte{w.done()})
}
