package oip

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// documents are those of testdata, by kind and name.
func documents(t testing.TB) map[string]map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/documents.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]byte{}
	for i, section := range strings.Split(string(text), "\n== ") {
		head, body, _ := strings.Cut(section, "\n")
		kind, name, ok := strings.Cut(head, ": ")
		if i == 0 {
			continue // what the file says of itself
		}
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(body)); err != nil || !ok {
			t.Fatalf("%s: %v", head, err)
		}
		if all[kind] == nil {
			all[kind] = map[string][]byte{}
		}
		all[kind][name] = b.Bytes()
	}
	return all
}

func TestDocumentsSurviveByteForByte(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for kind, decoded := range map[string]func() any{
		"request":  func() any { return new(inferRequest) },
		"response": func() any { return new(inferResponse) },
		"generate": func() any { return new(document) },
	} {
		if len(all[kind]) < 3 {
			t.Errorf("%d documents of %s", len(all[kind]), kind)
		}
		for name, want := range all[kind] {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				d := decoded()
				if err := json.Unmarshal(want, d); err != nil {
					t.Fatal(err)
				}
				if got := encode(d); !bytes.Equal(got, want) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

func TestWhatADocumentSays(t *testing.T) {
	t.Parallel()
	none := output{prompt: -1, tokens: -1}
	for name, tc := range map[string]struct {
		body string
		text string
		has  bool
		want output
	}{
		"the output":               {body: `{"outputs":[{"name":"o","data":["a","b"]}]}`, text: "a", has: true, want: none},
		"the output in a batch":    {body: `{"outputs":[{"name":"o","data":[["a"]]}]}`, text: "a", has: true, want: none},
		"no output":                {body: `{"outputs":[{"name":"x","data":["a"]}]}`, want: none},
		"an output of nothing":     {body: `{"outputs":[{"name":"o","data":[]}]}`, has: true, want: none},
		"an output of a number":    {body: `{"outputs":[{"name":"o","data":[7]}]}`, has: true, want: none},
		"an output of much depth":  {body: `{"outputs":[{"name":"o","data":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}]}`, has: true, want: none},
		"tokens and why it ended":  {body: `{"outputs":[{"name":"finish_reason","data":["length"]},{"name":"num_input_tokens","data":[3]},{"name":"num_output_tokens","data":[[4]]}]}`, want: output{finish: "length", prompt: 3, tokens: 4}},
		"tokens that are no count": {body: `{"outputs":[{"name":"finish_reason","data":["None"]},{"name":"num_input_tokens","data":[-3]},{"name":"num_output_tokens","data":["x"]}]}`, want: none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeInfer([]byte(tc.body), "o")
			if err != nil || string(got.text) != tc.text || got.has != tc.has {
				t.Errorf("got %+v, %v", got, err)
			}
			if got.finish != tc.want.finish || got.prompt != tc.want.prompt || got.tokens != tc.want.tokens {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func FuzzDecodeInfer(f *testing.F) {
	for _, body := range documents(f)["response"] {
		f.Add(body)
	}
	f.Fuzz(func(_ *testing.T, body []byte) { _, _ = decodeInfer(validUTF8(body), "text_output") })
}

func FuzzDecodeGenerated(f *testing.F) {
	for _, body := range documents(f)["generate"] {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if out, refused, err := decodeGenerated(validUTF8(body), "text_output"); refused && (err != nil || out.has) {
			t.Errorf("an error is an output, too: %+v, %v", out, err)
		}
	})
}
