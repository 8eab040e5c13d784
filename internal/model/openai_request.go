package model

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// encodeRequest returns the body of a chat completion: what the caller wrote goes on as it was written, number by number
// and key by key, so that a field this version has never heard of reaches the model unharmed.
func encodeRequest(call Call) []byte {
	r := call.Request
	var b bytes.Buffer
	b.Grow(256 + len(r.Messages) + 64*len(r.Parameters))
	b.WriteString(`{"model":`)
	writeString(&b, call.Target.Model)
	b.WriteString(`,"messages":`)
	switch {
	case r.Prompt != nil:
		b.WriteString(`[{"role":"user","content":`)
		writeString(&b, *r.Prompt)
		b.WriteString(`}]`)
	case len(r.Messages) > 0:
		b.Write(r.Messages)
	default:
		b.WriteString(`[]`) // for the model to refuse; the schema lets no such request in
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		if reserved(name) {
			continue
		}
		b.WriteByte(',')
		writeString(&b, name)
		b.WriteByte(':')
		b.Write(r.Parameters[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// reserved names the parameters that are not the caller's to set: the first two are set already, and a stream is not an
// answer that can be kept.
func reserved(name string) bool {
	return name == "model" || name == "messages" || name == "stream" || name == "stream_options"
}

// writeString writes s as a JSON string, without the escapes for HTML, which would make a prompt of code half as long
// again.
func writeString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       //nolint:errchkjson // a string can always be encoded
	b.Truncate(b.Len() - 1) // the newline that Encode adds
}
