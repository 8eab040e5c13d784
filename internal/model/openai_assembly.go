package model

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// chunk is a piece of an answer as far as it is read.
type chunk struct {
	Object  string          `json:"object"`
	Choices json.RawMessage `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
	Error   json.RawMessage `json:"error"`
}

// piece is a choice in a chunk.
type piece struct {
	Index        int             `json:"index"`
	Delta        json.RawMessage `json:"delta"`
	Text         json.RawMessage `json:"text"` // of a text completion, which has no delta
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason json.RawMessage `json:"finish_reason"`
}

// assembly is an answer that comes in pieces.
type assembly struct {
	chat    bool
	choices map[int]*assembled
	usage   json.RawMessage // the last that was said
	size    int64           // about what the answer comes to in bytes
}

// assembled is a choice that comes in pieces: the members of the whole one.
type assembled struct {
	said     merged // its message or text
	logprobs merged
	finish   json.RawMessage
	others   merged // members that servers have of their own
}

// add puts a chunk to the answer. It returns what it adds to the text of the first choice, and whether it has choices.
func (a *assembly) add(c chunk) (text string, has bool) {
	if isObject(c.Usage) {
		a.usage = c.Usage
	}
	var pieces []json.RawMessage
	_ = json.Unmarshal(c.Choices, &pieces) // what is no list has none
	var b strings.Builder
	for _, raw := range pieces {
		var p piece
		if json.Unmarshal(raw, &p) != nil {
			continue
		}
		a.addPiece(p, raw)
		if p.Index == 0 {
			b.WriteString(a.textOf(p))
		}
	}
	return b.String(), len(pieces) > 0
}

func (a *assembly) textOf(p piece) string {
	if !a.chat {
		return jsonString(p.Text)
	}
	var delta message
	_ = json.Unmarshal(p.Delta, &delta)
	return contentText(delta.Content)
}

func (a *assembly) addPiece(p piece, raw json.RawMessage) {
	to, ok := a.choices[p.Index]
	if !ok {
		to = &assembled{}
		if a.choices == nil {
			a.choices = map[int]*assembled{}
		}
		a.choices[p.Index] = to
		a.size += 64 // the names of its members
	}
	grown := to.logprobs.add(p.Logprobs)
	if a.chat {
		grown += to.said.add(p.Delta)
	} else {
		grown += to.said.add(p.Text)
	}
	if jsonString(p.FinishReason) != "" {
		to.finish = p.FinishReason
	}
	each(raw, func(name string, value json.RawMessage) {
		switch name {
		case "index", "delta", "text", "logprobs", "finish_reason":
		default:
			grown += to.others.addField(name, value)
		}
	})
	a.size += int64(grown)
}

// finished reports whether each choice that began has said why it ended.
func (a *assembly) finished() bool {
	for _, c := range a.choices {
		if c.finish == nil {
			return false
		}
	}
	return len(a.choices) > 0
}

// completion returns what the pieces come to, as a server would have written it whole.
func (a *assembly) completion() completion {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, index := range slices.Sorted(maps.Keys(a.choices)) {
		if i > 0 {
			b.WriteByte(',')
		}
		a.choices[index].write(&b, index, a.chat)
	}
	b.WriteByte(']')
	return completion{Choices: b.Bytes(), Usage: a.usage}
}

// write appends the choice with its members in the order of OpenAI.
func (c *assembled) write(b *bytes.Buffer, index int, chat bool) {
	o := object{b: b}
	if chat {
		o.put("index", strconv.AppendInt(nil, int64(index), 10))
		writeMessage(o.member("message"), &c.said)
	} else {
		if c.said.kind != '"' {
			c.said = merged{kind: '"'}
		}
		c.said.write(o.member("text"))
		o.put("index", strconv.AppendInt(nil, int64(index), 10))
	}
	c.logprobs.write(o.member("logprobs"))
	finish := c.finish
	if finish == nil {
		finish = []byte("null")
	}
	o.put("finish_reason", finish)
	for _, name := range c.others.names {
		c.others.fields[name].write(o.member(name))
	}
	o.end()
}

// writeMessage appends an assistant's message: role, content and refusal, as every whole one has them, then tool calls
// without the numbers that they have in pieces, and what else was said.
func writeMessage(b *bytes.Buffer, m *merged) {
	o := object{b: b}
	calls := m.fields["tool_calls"]
	if role := m.fields["role"]; role != nil && role.kind == '"' {
		role.write(o.member("role"))
	} else {
		o.put("role", []byte(`"assistant"`))
	}
	content := m.fields["content"]
	if content != nil && content.kind == '"' && len(content.text) == 0 && calls != nil && len(calls.list) > 0 {
		content = nil // what a whole message says of no content beside calls
	}
	content.write(o.member("content"))
	m.fields["refusal"].write(o.member("refusal"))
	if calls != nil && calls.kind == '[' {
		calls.writeList(o.member("tool_calls"), func(call *merged) { writeCall(b, call) })
	}
	for _, name := range m.names {
		switch name {
		case "role", "content", "refusal":
		case "tool_calls":
			if calls.kind != '[' {
				calls.write(o.member(name))
			}
		default:
			m.fields[name].write(o.member(name))
		}
	}
	o.end()
}

func writeCall(b *bytes.Buffer, call *merged) {
	if call.kind != '{' {
		call.write(b)
		return
	}
	delete(call.fields, "index")
	call.names = slices.DeleteFunc(call.names, func(name string) bool { return name == "index" })
	call.write(b, "id", "type", "function")
}
