package catalog

import (
	"cmp"
	"strings"
)

// OIP is how text goes in and out of a model by the Open Inference Protocol. The zero value is the preset triton.
type OIP struct {
	Preset  string // triton, kserve or vllm: what the others are by default, and how parameters are written; default triton
	Input   string // the tensor that the text goes in by
	Output  string // the tensor that the text comes out of
	Version string // of the model; empty: the server's choice
	Stream  bool   // the model is decoupled: it is called by ModelStreamInfer, for whole answers too; default by the preset
}

// The presets, by the server that a model runs in.
const (
	Triton = "triton" // Triton with TensorRT-LLM: text_input and text_output, a tensor for each parameter
	KServe = "kserve" // KServe's own runtimes: input-0 and output-0, parameters of the request
	VLLM   = "vllm"   // Triton with its vLLM backend: text_input and text_output, parameters in one tensor as JSON; decoupled
)

// WithDefaults returns o with its preset and what is empty in it as the preset has it. Stream stays as it is: what was read
// from a file has the preset's already.
func (o OIP) WithDefaults() OIP {
	of := preset(cmp.Or(o.Preset, Triton))
	o.Preset, o.Input, o.Output = of.Preset, cmp.Or(o.Input, of.Input), cmp.Or(o.Output, of.Output)
	return o
}

// preset returns what a preset says by itself.
func preset(name string) OIP {
	switch name {
	case KServe:
		return OIP{Preset: KServe, Input: "input-0", Output: "output-0"}
	case VLLM:
		return OIP{Preset: VLLM, Input: "text_input", Output: "text_output", Stream: true}
	default:
		return OIP{Preset: Triton, Input: "text_input", Output: "text_output"}
	}
}

func (r *reader) oip(v value) OIP {
	var o OIP
	has := r.object(v, fields{
		"preset":  func(v value) { o.Preset = oneOf(r, v, Triton, KServe, VLLM) },
		"input":   func(v value) { o.Input = r.word(v, "the name of a tensor") },
		"output":  func(v value) { o.Output = r.word(v, "the name of a tensor") },
		"version": func(v value) { o.Version = r.version(v) },
		"stream":  func(v value) { o.Stream = r.flag(v) },
	})
	if _, ok := has["stream"]; !ok {
		o.Stream = preset(o.Preset).Stream
	}
	return o.WithDefaults()
}

// version reads the version of a model, which is part of a path.
func (r *reader) version(v value) string {
	s := r.word(v, "the version of a model, such as '1'")
	if strings.ContainsAny(s, "/?#%") || strings.Trim(s, ".") == "" && s != "" {
		r.failf(v, "is no version: expected one without /, ?, # and %%")
	}
	return s
}

// word reads a text that can stand in a header or a path: visible ASCII without a space, 256 characters at most.
func (r *reader) word(v value, want string) string {
	const longest = 256
	s, ok := r.text(v, want)
	if !ok {
		return ""
	}
	if len(s) > longest || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.failf(v, "expected %s, of %d visible ASCII characters at most and without a space", want, longest)
		return ""
	}
	return s
}
