package openaiapi

import (
	"slices"
)

// Echo is what a Response repeats of its request. It is kept beside the request, so that who comes for the Response later gets
// it with the same fields.
type Echo struct{ fields object }

// echoed are the fields that are repeated, in the order in which they are given up where all would be too large to keep.
var echoed = []string{
	"tools", "instructions", "text", "metadata", "reasoning", "tool_choice", "user", "safety_identifier", "prompt_cache_key",
	"max_output_tokens", "parallel_tool_calls", "service_tier", "temperature", "top_p", "store", "background",
}

// maxNote bounds what is kept of an echo, in bytes: an acceptance with it stays a small thing to store. Metadata at OpenAI's
// bounds is somewhat more than that if all of it is used, which nobody does.
const maxNote = 8 << 10

func echoOf(o object) Echo {
	var e Echo
	for _, m := range o {
		if slices.Contains(echoed, m.name) && string(m.value) != "null" {
			e.fields = append(e.fields, m)
		}
	}
	return e
}

// noteName is the member of a note that says what kind of request it belongs to.
const noteName = "response"

// Note returns the echo as it is kept.
func (e Echo) Note() []byte {
	note := e.note()
	for _, name := range echoed {
		if len(note) <= maxNote {
			break
		}
		e.fields = slices.DeleteFunc(slices.Clone(e.fields), func(m member) bool { return m.name == name })
		note = e.note()
	}
	return note
}

func (e Echo) note() []byte {
	var of, w builder
	for _, m := range e.fields {
		of.raw(m.name, m.value)
	}
	w.raw(noteName, of.done())
	return w.done()
}

// ReadNote reads what [Echo.Note] wrote. It reports whether it did: other requests have no such note.
func ReadNote(note []byte) (Echo, bool) {
	o, err := decodeObject(note)
	if err != nil {
		return Echo{}, false
	}
	fields, err := decodeObject(o.get(noteName))
	return Echo{fields}, err == nil
}

// Stored reports whether the Response is to be had after its call was answered.
func (e Echo) Stored() bool { return string(e.fields.get("store")) != "false" }

// Background reports whether the request is one whose caller comes back for the answer.
func (e Echo) Background() bool { return string(e.fields.get("background")) == "true" }
