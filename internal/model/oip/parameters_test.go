package oip

import (
	"encoding/json"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	oippb "baton.dev/baton/internal/oip"
)

const parametersOfACaller = `{"temperature":1,"max_tokens":32,"top_p":0.5,"seed":-7,"stop":["a","b"],"top_k":4,"flag":true,
	"big":18446744073709551615,"word":"w","bias":{"5":-1},"nothing":null,
	"stream":true,"n":1,"tools":[],"sequence_id":9,"priority":1,"triton_enable_empty_final_response":true,"response_format":{"type":"text"}}`

func inferenceOf(t *testing.T, o catalog.OIP, parameters string, delta bool) (*inference, error) {
	t.Helper()
	text := "say <it>"
	r := events.Request{Prompt: &text}
	if err := json.Unmarshal([]byte(parameters), &r.Parameters); err != nil {
		t.Fatal(err)
	}
	call := model.Call{Target: &catalog.Target{Name: "main", Model: "m", OIP: o, MaxTokens: 99}, Request: r, ID: "id"}
	if delta {
		call.Delta = func(model.Delta) {}
	}
	return newInference(&call)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		oip        catalog.OIP
		parameters string
		stream     bool
		http, grpc string
	}{
		"to TensorRT-LLM in Triton each parameter is a tensor": {
			oip: catalog.OIP{Version: "2"}, parameters: parametersOfACaller,
			http: `{"id":"id","inputs":[{"name":"text_input","shape":[1,1],"datatype":"BYTES","data":["say <it>"]},` +
				`{"name":"max_tokens","shape":[1,1],"datatype":"INT32","data":[32]},{"name":"top_k","shape":[1,1],"datatype":"INT32","data":[4]},` +
				`{"name":"temperature","shape":[1,1],"datatype":"FP32","data":[1]},{"name":"top_p","shape":[1,1],"datatype":"FP32","data":[0.5]},` +
				`{"name":"seed","shape":[1,1],"datatype":"UINT64","data":[18446744073709551609]},` +
				`{"name":"stop_words","shape":[1,2],"datatype":"BYTES","data":["a","b"]}],"outputs":[{"name":"text_output"}]}`,
			grpc: `{"modelName":"m","modelVersion":"2","id":"id","inputs":[
				{"name":"text_input","datatype":"BYTES","shape":["1","1"],"contents":{"bytesContents":["c2F5IDxpdD4="]}},
				{"name":"max_tokens","datatype":"INT32","shape":["1","1"],"contents":{"intContents":[32]}},
				{"name":"top_k","datatype":"INT32","shape":["1","1"],"contents":{"intContents":[4]}},
				{"name":"temperature","datatype":"FP32","shape":["1","1"],"contents":{"fp32Contents":[1]}},
				{"name":"top_p","datatype":"FP32","shape":["1","1"],"contents":{"fp32Contents":[0.5]}},
				{"name":"seed","datatype":"UINT64","shape":["1","1"],"contents":{"uint64Contents":["18446744073709551609"]}},
				{"name":"stop_words","datatype":"BYTES","shape":["1","2"],"contents":{"bytesContents":["YQ==","Yg=="]}}],
				"outputs":[{"name":"text_output"}]}`,
		},
		"TensorRT-LLM is given a bound of the output where the caller names none": {
			oip: catalog.OIP{Stream: true, Input: "in", Output: "out"}, parameters: `{"stop":"x"}`, stream: true,
			http: `{"id":"id","inputs":[{"name":"in","shape":[1,1],"datatype":"BYTES","data":["say <it>"]},` +
				`{"name":"max_tokens","shape":[1,1],"datatype":"INT32","data":[99]},` +
				`{"name":"stop_words","shape":[1,1],"datatype":"BYTES","data":["x"]},` +
				`{"name":"stream","shape":[1,1],"datatype":"BOOL","data":[true]}],"outputs":[{"name":"out"}]}`,
		},
		"to KServe parameters are those of the request": {
			oip: catalog.OIP{Preset: catalog.KServe}, parameters: parametersOfACaller,
			http: `{"id":"id","parameters":{"bias":"{\"5\":-1}","big":18446744073709551615,"flag":true,"max_tokens":32,"seed":-7,` +
				`"stop":"[\"a\",\"b\"]","temperature":1,"top_k":4,"top_p":0.5,"word":"w"},` +
				`"inputs":[{"name":"input-0","shape":[1],"datatype":"BYTES","data":["say <it>"]}],"outputs":[{"name":"output-0"}]}`,
			grpc: `{"modelName":"m","id":"id","parameters":{"big":{"uint64Param":"18446744073709551615"},"bias":{"stringParam":"{\"5\":-1}"},
				"flag":{"boolParam":true},"max_tokens":{"int64Param":"32"},"seed":{"int64Param":"-7"},"stop":{"stringParam":"[\"a\",\"b\"]"},
				"temperature":{"doubleParam":1},"top_k":{"int64Param":"4"},"top_p":{"doubleParam":0.5},"word":{"stringParam":"w"}},
				"inputs":[{"name":"input-0","datatype":"BYTES","shape":["1"],"contents":{"bytesContents":["c2F5IDxpdD4="]}}],
				"outputs":[{"name":"output-0"}]}`,
		},
		"to vLLM in Triton parameters are one tensor": {
			oip: catalog.OIP{Preset: catalog.VLLM}, parameters: `{"max_completion_tokens":8,"max_tokens":9,"temperature":0.0,"stop":["a"]}`, stream: true,
			http: `{"id":"id","inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["say <it>"]},` +
				`{"name":"stream","shape":[1],"datatype":"BOOL","data":[true]},` +
				`{"name":"exclude_input_in_output","shape":[1],"datatype":"BOOL","data":[true]},` +
				`{"name":"return_finish_reason","shape":[1],"datatype":"BOOL","data":[true]},` +
				`{"name":"return_num_input_tokens","shape":[1],"datatype":"BOOL","data":[true]},` +
				`{"name":"return_num_output_tokens","shape":[1],"datatype":"BOOL","data":[true]},` +
				`{"name":"sampling_parameters","shape":[1],"datatype":"BYTES","data":["{\"max_tokens\":8,\"stop\":[\"a\"],\"temperature\":0.0}"]}],` +
				`"outputs":[{"name":"text_output"},{"name":"finish_reason"},{"name":"num_input_tokens"},{"name":"num_output_tokens"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := inferenceOf(t, tc.oip, tc.parameters, tc.stream)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(in.infer()); got != tc.http {
				t.Errorf("over HTTP\ngot  %s\nwant %s", got, tc.http)
			}
			if tc.grpc == "" {
				return
			}
			var want oippb.ModelInferRequest
			if err := protojson.Unmarshal([]byte(tc.grpc), &want); err != nil {
				t.Fatal(err)
			}
			if got := in.message(); !proto.Equal(got, &want) {
				t.Errorf("over gRPC\ngot  %v\nwant %v", got, &want)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	in, err := inferenceOf(t, catalog.OIP{Preset: catalog.VLLM}, `{"max_tokens":8}`, false)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"id","text_input":"say <it>","stream":false,"exclude_input_in_output":true,"return_finish_reason":true,` +
		`"return_num_input_tokens":true,"return_num_output_tokens":true,"sampling_parameters":"{\"max_tokens\":8}"}`
	if got := string(in.generate()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatWouldChangeTheAnswerIsUnsupported(t *testing.T) {
	t.Parallel()
	for _, parameters := range []string{
		`{"tools":[{"type":"function"}]}`, `{"functions":[{}]}`, `{"n":2}`, `{"logprobs":true}`, `{"top_logprobs":3}`,
		`{"response_format":{"type":"json_object"}}`, `{"modalities":["text","audio"]}`, `{"audio":{"voice":"x"}}`,
	} {
		_, err := inferenceOf(t, catalog.OIP{}, parameters, false)
		if e, ok := errors.AsType[*model.Error](err); !ok || e.Code != events.CodeUnsupported {
			t.Errorf("%s: %v", parameters, err)
		}
	}
	for _, parameters := range []string{`{"tools":[],"n":1,"logprobs":false,"modalities":["text"],"response_format":null}`, `{}`} {
		if _, err := inferenceOf(t, catalog.OIP{}, parameters, false); err != nil {
			t.Errorf("%s: %v", parameters, err)
		}
	}
}
