package model

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// chunkOf returns the choices of a whole answer as those of the one chunk that says it all.
func chunkOf(choices json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(choices, &list) != nil {
		return choices
	}
	var b bytes.Buffer
	b.WriteByte('[')
	for i, choice := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		o := object{b: &b}
		each(choice, func(name string, value json.RawMessage) {
			if name == "message" {
				writeDelta(o.member("delta"), value)
				return
			}
			o.put(name, value)
		})
		o.end()
	}
	b.WriteByte(']')
	return b.Bytes()
}

// writeDelta appends a message as a delta, in which tool calls are numbered.
func writeDelta(b *bytes.Buffer, message json.RawMessage) {
	if !isObject(message) {
		b.Write(message)
		return
	}
	o := object{b: b}
	each(message, func(name string, value json.RawMessage) {
		var calls []json.RawMessage
		if name != "tool_calls" || json.Unmarshal(value, &calls) != nil {
			o.put(name, value)
			return
		}
		o.member(name)
		b.WriteByte('[')
		for i, call := range calls {
			if i > 0 {
				b.WriteByte(',')
			}
			c := object{b: b}
			c.put("index", strconv.AppendInt(nil, int64(i), 10))
			each(call, func(name string, value json.RawMessage) {
				if name != "index" {
					c.put(name, value)
				}
			})
			c.end()
		}
		b.WriteByte(']')
	})
	o.end()
}
