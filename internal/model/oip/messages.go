package oip

import (
	"encoding/binary"
	"fmt"
	"strconv"

	oippb "baton.dev/baton/internal/oip"
)

// message returns the request as the message of gRPC.
func (in *inference) message() *oippb.ModelInferRequest {
	m := &oippb.ModelInferRequest{
		ModelName: in.model, ModelVersion: in.version, Id: in.id,
	}
	for _, i := range in.inputs {
		datatype, contents := contents(i.values)
		m.Inputs = append(m.Inputs, &oippb.ModelInferRequest_InferInputTensor{
			Name: i.name, Datatype: datatype, Shape: i.shape, Contents: contents,
		})
	}
	for _, name := range in.outputs {
		m.Outputs = append(m.Outputs, &oippb.ModelInferRequest_InferRequestedOutputTensor{Name: name})
	}
	for _, p := range in.parameters {
		if m.Parameters == nil {
			m.Parameters = map[string]*oippb.InferParameter{}
		}
		m.Parameters[p.name] = inferParameter(p.value)
	}
	return m
}

func inferParameter(v any) *oippb.InferParameter {
	switch v := v.(type) {
	case bool:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: v}}
	case int64:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: v}}
	case uint64:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_Uint64Param{Uint64Param: v}}
	case float64:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_DoubleParam{DoubleParam: v}}
	default:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_StringParam{StringParam: fmt.Sprint(v)}}
	}
}

// contents returns the data type of values, and the values as gRPC has them.
func contents(values any) (string, *oippb.InferTensorContents) {
	switch v := values.(type) {
	case []bool:
		return "BOOL", &oippb.InferTensorContents{BoolContents: v}
	case []int32:
		return "INT32", &oippb.InferTensorContents{IntContents: v}
	case []uint64:
		return "UINT64", &oippb.InferTensorContents{Uint64Contents: v}
	case []float32:
		return "FP32", &oippb.InferTensorContents{Fp32Contents: v}
	default:
		texts, _ := v.([]string)
		c := &oippb.InferTensorContents{}
		for _, s := range texts {
			c.BytesContents = append(c.BytesContents, []byte(s))
		}
		return "BYTES", c
	}
}

// The outputs that Triton's vLLM backend has beside the text.
const (
	finishReason = "finish_reason"
	inputTokens  = "num_input_tokens"  //nolint:gosec // a count of tokens is no credential
	outputTokens = "num_output_tokens" //nolint:gosec // as above
)

// decodeMessage returns what a response says, name being the tensor of the output.
func decodeMessage(r *oippb.ModelInferResponse, name string) output {
	out := output{prompt: -1, tokens: -1}
	for i, t := range r.GetOutputs() {
		var raw []byte
		if i < len(r.GetRawOutputContents()) {
			raw = r.GetRawOutputContents()[i]
		}
		switch t.GetName() {
		case name:
			out.has = true
			out.text = firstBytes(t.GetContents(), raw)
		case finishReason:
			if reason := string(firstBytes(t.GetContents(), raw)); reason != "None" {
				out.finish = reason
			}
		case inputTokens:
			out.prompt = firstUint(t.GetContents(), raw)
		case outputTokens:
			out.tokens = firstUint(t.GetContents(), raw)
		}
	}
	return out
}

// firstBytes returns the first element of a BYTES tensor; nil if it has none. In raw contents each element is its length, of
// four bytes in little-endian order, and its bytes.
func firstBytes(c *oippb.InferTensorContents, raw []byte) []byte {
	if all := c.GetBytesContents(); len(all) > 0 {
		return all[0]
	}
	if len(raw) < 4 {
		return nil
	}
	n, rest := uint64(binary.LittleEndian.Uint32(raw)), raw[4:]
	if n > uint64(len(rest)) {
		return nil
	}
	return rest[:n]
}

// firstUint returns the first element of a UINT32 tensor, -1 if it has none.
func firstUint(c *oippb.InferTensorContents, raw []byte) int {
	if all := c.GetUintContents(); len(all) > 0 {
		return count(strconv.FormatUint(uint64(all[0]), 10))
	}
	if len(raw) < 4 {
		return -1
	}
	return count(strconv.FormatUint(uint64(binary.LittleEndian.Uint32(raw)), 10))
}

// final reports whether the server says that no other response follows.
func final(r *oippb.ModelInferResponse) bool {
	return r.GetParameters()["triton_final_response"].GetBoolParam()
}
