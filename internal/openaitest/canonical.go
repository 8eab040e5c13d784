package openaitest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
)

// canonical returns a call's outcome so that equal outcomes are equal text: streams are put together, ids, times and
// fingerprints replaced, what a client adds by itself is left out, and vectors are rounded to five digits, which is as far as machines of all
// kinds agree.
func canonical(t testing.TB, text []byte) json.RawMessage {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if value, ok := v["value"].(map[string]any); ok {
		if chunks, ok := value["chunks"].([]any); ok {
			v["value"] = assemble(chunks)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(plain("", v)); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// plain returns a value without what differs each time. name is the member that it stands under.
func plain(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if name == "metadata" {
			return v
		}
		out := map[string]any{}
		for k, member := range v {
			if k == "output_text" && v["object"] == "response" || k == "parsed" || k == "parsed_arguments" || k == "output_parsed" {
				continue // the JavaScript client's own
			}
			if k == "embedding" {
				out[k] = floats(member)
				continue
			}
			out[k] = plain(k, member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(name, v[i])
		}
		return out
	case string:
		if isID(name) && v != "" && !named(v) {
			return "<" + name + ">"
		}
		if name == "filename" && strings.HasPrefix(v, "batch_") {
			return "<filename>"
		}
		if name == "system_fingerprint" {
			return "<fingerprint>"
		}
	case float64:
		if isTime(name) {
			return "<time>"
		}
	}
	return v
}

func isID(name string) bool {
	return name == "id" || strings.HasSuffix(name, "_id") && name != "custom_id"
}

// named reports whether what stands for an id is a name: that of a model in a list of models.
func named(id string) bool { return id == "sim" || id == "slow" }

func isTime(name string) bool { return name == "created" || strings.HasSuffix(name, "_at") }

// floats returns a vector, which the JavaScript client asks for in base64 and decodes, as numbers of the same text.
func floats(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			f, _ := x.(float64)
			out[i] = strconv.FormatFloat(f, 'g', 5, 32)
		}
		return out
	case string:
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return v
		}
		out := make([]string, len(b)/4)
		for i := range out {
			f := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			out[i] = strconv.FormatFloat(float64(f), 'g', 5, 32)
		}
		return out
	}
	return v
}
