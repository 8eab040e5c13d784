package model

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"baton.dev/baton/events"
)

// operation is how OpenAI's protocol has one of the operations of package events.
type operation struct {
	path     []string // under the target's URL
	input    string   // the member that says what is asked
	streamed bool     // it can be answered in pieces
}

// operationOf returns how the request's operation is called; ok is false for one that this version does not know.
func operationOf(r events.Request) (op operation, ok bool) {
	switch r.Operation {
	case "", events.Chat:
		return operation{[]string{"chat", "completions"}, "messages", true}, true
	case events.TextCompletion:
		return operation{[]string{"completions"}, "prompt", true}, true
	case events.Embeddings:
		return operation{[]string{"embeddings"}, "input", false}, true
	default:
		return operation{}, false
	}
}

// newPayload returns the body of the call's request. What the caller wrote goes on as it was written, number by number and
// key by key, so that a field this version has never heard of reaches the model unharmed.
func newPayload(ctx context.Context, call Call, op operation) (*payload, error) {
	r := call.Request
	var b bytes.Buffer
	b.Grow(256 + len(r.Messages) + len(r.Input) + 64*len(r.Parameters))
	b.WriteString(`{"model":`)
	writeString(&b, call.Target.Model)
	b.WriteByte(',')
	writeString(&b, op.input)
	b.WriteByte(':')
	p := &payload{}
	if op.input == "messages" && call.Expand != nil {
		between, err := call.Expand(ctx, call.Target, input(r, op))
		if err != nil {
			return nil, fmt.Errorf("put back what the messages refer to: %w", err)
		}
		p.between = &between
		p.head = bytes.Clone(b.Bytes())
		b.Reset()
	} else {
		b.Write(input(r, op))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		if reserved(name, op) {
			continue
		}
		b.WriteByte(',')
		writeString(&b, name)
		b.WriteByte(':')
		b.Write(r.Parameters[name])
	}
	if inPieces(call, op) {
		// Without include_usage a stream does not say what it cost.
		b.WriteString(`,"stream":true,"stream_options":{"include_usage":true}`)
	}
	b.WriteByte('}')
	if p.between == nil {
		p.head = b.Bytes()
	} else {
		p.tail = b.Bytes()
	}
	return p, nil
}

// input returns what the request is about: its messages, to which a prompt is one of a user, or else its input.
func input(r events.Request, op operation) []byte {
	if op.input != "messages" {
		if len(r.Input) == 0 {
			return []byte(`""`) // for the model to refuse; the schema lets no such request in
		}
		return r.Input
	}
	switch {
	case r.Prompt != nil:
		var b bytes.Buffer
		b.WriteString(`[{"role":"user","content":`)
		writeString(&b, *r.Prompt)
		b.WriteString(`}]`)
		return b.Bytes()
	case len(r.Messages) > 0:
		return r.Messages
	default:
		return []byte(`[]`) // as above
	}
}

// reserved names the parameters that are not the caller's to set: what is set already, and whether the answer comes in pieces.
func reserved(name string, op operation) bool {
	return name == "model" || name == "messages" || name == op.input || name == "stream" || name == "stream_options"
}

// inPieces reports whether the answer is asked for in pieces. The best of several completions is only known at their end, so
// that servers refuse a stream of it.
func inPieces(call Call, op operation) bool {
	return call.Delta != nil && op.streamed && !over(call.Request, "best_of", 1)
}

// over reports whether the request has a parameter that is a number over n.
func over(r events.Request, name string, n float64) bool {
	var v float64
	return json.Unmarshal(r.Parameters[name], &v) == nil && v > n
}

// writeString writes s as a JSON string, without the escapes for HTML, which would make a prompt of code half as long
// again.
func writeString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       //nolint:errchkjson // a string can always be encoded
	b.Truncate(b.Len() - 1) // the newline that Encode adds
}
