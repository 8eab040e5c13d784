package oip

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// inference is a request of the protocol before it is written in one of its two forms.
type inference struct {
	model, version, id string
	outputs            []string // the tensors that are asked for, that of the text first
	parameters         []parameter
	inputs             []input
	decoupled          bool // it answers any number of times
}

// input is a tensor that goes in. Its values are a []string (BYTES), []bool (BOOL), []int32 (INT32), []uint64 (UINT64) or
// []float32 (FP32).
type input struct {
	name   string
	shape  []int64
	values any
}

// parameter is one of the request: its value a bool, int64, uint64, float64 or string.
type parameter struct {
	name  string
	value any
}

// newInference returns the request of a call. Its error is an [*model.Error].
func newInference(call *model.Call) (*inference, error) {
	t := call.Target
	o := t.OIP.WithDefaults()
	text, err := prompt(&call.Request)
	if err != nil {
		return nil, err
	}
	asked, err := parametersOf(&call.Request)
	if err != nil {
		return nil, err
	}
	in := &inference{
		model: t.Model, version: o.Version, id: call.ID, outputs: []string{o.Output},
		decoupled: o.Stream || o.Preset == catalog.VLLM, // which is never anything else
	}
	stream := call.Delta != nil
	switch o.Preset {
	case catalog.VLLM:
		in.outputs = append(in.outputs, finishReason, inputTokens, outputTokens)
		in.inputs = []input{
			{o.Input, one, []string{text}},
			{"stream", one, []bool{stream}},
			{"exclude_input_in_output", one, []bool{true}},
			{"return_finish_reason", one, []bool{true}},
			{"return_num_input_tokens", one, []bool{true}},
			{"return_num_output_tokens", one, []bool{true}},
			{"sampling_parameters", one, []string{object(asked)}},
		}
	case catalog.KServe:
		in.inputs = []input{{o.Input, one, []string{text}}}
		in.parameters = scalars(asked)
	default:
		if _, ok := asked["max_tokens"]; !ok && t.MaxTokens > 0 {
			asked["max_tokens"] = json.RawMessage(strconv.Itoa(t.MaxTokens)) // TensorRT-LLM wants one
		}
		in.inputs = append([]input{{o.Input, batch, []string{text}}}, tensors(asked)...)
		if in.decoupled {
			in.inputs = append(in.inputs, input{"stream", batch, []bool{stream}})
		}
	}
	return in, nil
}

// The shapes of what is one thing, and of a batch with one in it.
var (
	one   = []int64{1}
	batch = []int64{1, 1}
)

// changing are the parameters that would make another thing of the answer than text. What they are when they ask for nothing
// is no reason to refuse.
var changing = map[string]string{
	"tools": "it calls no tools", "functions": "it calls no tools",
	"logprobs": "it gives no log probabilities", "top_logprobs": "it gives no log probabilities",
	"audio": "it gives text only",
}

// reserved are the names that the client, the front or the server has for itself. Triton's own are in its parameters extension.
var reserved = []string{
	"model", "messages", "prompt", "input", "stream", "stream_options", "n", "response_format", "modalities", "tool_choice",
	"parallel_tool_calls", "user", "store", "metadata", "service_tier",
	"sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "headers", "binary_data_output",
}

// parametersOf returns the caller's parameters that go to a model, or the error of one that no target of this kind can heed.
func parametersOf(r *events.Request) (map[string]json.RawMessage, error) {
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		raw := r.Parameters[name]
		if why, ok := changing[name]; ok && said(raw) {
			return nil, unsupported(why)
		}
		switch {
		case name == "n" && said(raw) && string(raw) != "1":
			return nil, unsupported("it gives one choice")
		case name == "response_format" && said(raw) && !isPlain(raw):
			return nil, unsupported("it knows no format of the output")
		case name == "modalities" && strings.Contains(string(raw), "audio"):
			return nil, unsupported("it gives text only")
		}
	}
	asked := make(map[string]json.RawMessage, len(r.Parameters))
	for name, raw := range r.Parameters {
		_, changes := changing[name]
		switch {
		case string(raw) == "null", changes, slices.Contains(reserved, name), strings.HasPrefix(name, "triton_"):
		case name == "max_completion_tokens":
			asked["max_tokens"] = raw // what OpenAI calls it by now
		case name == "max_tokens" && asked[name] != nil:
		default:
			asked[name] = raw
		}
	}
	return asked, nil
}

// isPlain reports whether a response_format asks for text.
func isPlain(raw json.RawMessage) bool {
	var f struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(raw, &f) == nil && f.Type == "text"
}

// tensors returns a tensor for each parameter that TensorRT-LLM's models declare.
func tensors(asked map[string]json.RawMessage) []input {
	var all []input
	for _, name := range []string{"max_tokens", "top_k"} {
		var n int32
		if raw, ok := asked[name]; ok && json.Unmarshal(raw, &n) == nil {
			all = append(all, input{name, batch, []int32{n}})
		}
	}
	for _, name := range []string{"temperature", "top_p", "repetition_penalty", "presence_penalty", "frequency_penalty"} {
		var f float32
		if raw, ok := asked[name]; ok && json.Unmarshal(raw, &f) == nil {
			all = append(all, input{name, batch, []float32{f}})
		}
	}
	var seed int64
	if raw, ok := asked["seed"]; ok && json.Unmarshal(raw, &seed) == nil {
		all = append(all, input{"seed", batch, []uint64{uint64(seed)}})
	}
	if words := stops(asked["stop"]); len(words) > 0 {
		all = append(all, input{"stop_words", []int64{1, int64(len(words))}, words})
	}
	return all
}

// stops returns the stop sequences: one, or a list.
func stops(raw json.RawMessage) []string {
	var word string
	if json.Unmarshal(raw, &word) == nil && word != "" {
		return []string{word}
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// scalars returns the parameters of a request, in order of their names.
func scalars(asked map[string]json.RawMessage) []parameter {
	all := make([]parameter, 0, len(asked))
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		all = append(all, parameter{name, scalar(name, asked[name])})
	}
	return all
}

// scalar returns the value of a parameter as the protocol knows values.
func scalar(name string, raw json.RawMessage) any {
	var v any
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case bool, string:
		return v
	case json.Number:
		return number(name, v)
	default:
		return string(raw)
	}
}

// number keeps whole numbers whole, but for those parameters that are measures: 1 and 1.0 are the same temperature.
func number(name string, n json.Number) any {
	measure := name == "temperature" || name == "top_p"
	if i, err := n.Int64(); err == nil && !measure {
		return i
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil && !measure {
		return u
	}
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) {
		return n.String()
	}
	return f
}

// object returns the parameters as one JSON object, each as the caller wrote it, in order of their names.
func object(asked map[string]json.RawMessage) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(asked)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(name))
		b.WriteByte(':')
		b.Write(asked[name])
	}
	b.WriteByte('}')
	return b.String()
}
