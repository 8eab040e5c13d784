package model

import (
	"encoding/json"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

func TestEncodeRequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ data, want string }{
		"a prompt becomes one user message": {
			`{"model_id":"m","prompt":"if a < b && \"c\"\n…"}`,
			`{"model":"real","messages":[{"role":"user","content":"if a < b && \"c\"\n…"}]}`,
		},
		"messages go on as they were written": {
			`{"model_id":"m","messages":[ {"role":"user","content":[{"type":"text","text":"\u00e9"}],"new_field":1.0} ]}`,
			`{"model":"real","messages":[ {"role":"user","content":[{"type":"text","text":"\u00e9"}],"new_field":1.0} ]}`,
		},
		"parameters go on as they were written, in order of their names": {
			`{"model_id":"m","prompt":"p","parameters":{"top_p":1.0,"seed":12345678901234567890,"logit_bias":{"5":-1},"odd\"name":null}}`,
			`{"model":"real","messages":[{"role":"user","content":"p"}],` +
				`"logit_bias":{"5":-1},"odd\"name":null,"seed":12345678901234567890,"top_p":1.0}`,
		},
		"what is not the caller's to set is left out": {
			`{"model_id":"m","prompt":"p","parameters":{"model":"other","messages":[],"stream":true,"stream_options":{},"n":1}}`,
			`{"model":"real","messages":[{"role":"user","content":"p"}],"n":1}`,
		},
		"what is for the chain stays in the chain": {
			`{"model_id":"m","prompt":"p","request_id":"r","callback_url":"https://c","priority":"high","metadata":{"a":"b"}}`,
			`{"model":"real","messages":[{"role":"user","content":"p"}]}`,
		},
		"a text completion is of its input": {
			`{"model_id":"m","operation":"text_completion","input":["a", "b"],"parameters":{"prompt":"x","max_tokens":3,"stream":true}}`,
			`{"model":"real","prompt":["a", "b"],"max_tokens":3}`,
		},
		"embeddings are of their input": {
			`{"model_id":"m","operation":"embeddings","input":[[1,2],[3]],"parameters":{"input":"x","dimensions":8}}`,
			`{"model":"real","input":[[1,2],[3]],"dimensions":8}`,
		},
		"no input is for the model to refuse":       {`{"model_id":"m","operation":"embeddings"}`, `{"model":"real","input":""}`},
		"nothing to say is for the model to refuse": {`{"model_id":"m"}`, `{"model":"real","messages":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var req events.Request
			if err := json.Unmarshal([]byte(tc.data), &req); err != nil {
				t.Fatal(err)
			}
			op, _ := operationOf(req)
			p, err := newPayload(t.Context(), Call{Target: &catalog.Target{Model: "real"}, Request: req}, op)
			if err != nil {
				t.Fatal(err)
			}
			got := p.head
			if string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !json.Valid(got) {
				t.Error("it is no JSON")
			}
		})
	}
}
