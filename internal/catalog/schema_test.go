package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	accepts = "accepts it"
	refuses = "refuses it"
)

type compiledSchema struct{ *jsonschema.Schema }

func compileSchema(tb testing.TB) compiledSchema {
	tb.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		tb.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("baton.json", doc); err != nil {
		tb.Fatal(err)
	}
	s, err := compiler.Compile("baton.json")
	if err != nil {
		tb.Fatal(err)
	}
	return compiledSchema{s}
}

// verdict returns what the schema does with a file: accepts, refuses, or says why it cannot be asked.
func (s compiledSchema) verdict(src string) string {
	d, fault := openDocument([]byte(src))
	if fault != nil {
		return "is not asked: this is no document"
	}
	var v any
	if err := yaml.NodeToValue(d.root, &v); err != nil {
		return "is not asked: this is no plain data"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "is not asked: this is no JSON"
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return "is not asked: this is no JSON"
	}
	if s.Validate(doc) != nil {
		return refuses
	}
	return accepts
}

// TestTheSchemaHasTheKeysOfTheLoader compares what the loader names as the keys of each mapping with the schema's properties.
func TestTheSchemaHasTheKeysOfTheLoader(t *testing.T) {
	t.Parallel()
	var root struct {
		Properties map[string]json.RawMessage
		Defs       map[string]struct {
			Properties map[string]json.RawMessage
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var priorities struct{ Properties map[string]json.RawMessage }
	if err := json.Unmarshal(root.Properties["priorities"], &priorities); err != nil {
		t.Fatal(err)
	}
	const odd = "zzzzzzzzzzzz: 1"
	for place, tt := range map[string]struct {
		src  string
		keys map[string]json.RawMessage
	}{
		"root":       {odd, root.Properties},
		"priorities": {"priorities: {" + odd + "}", priorities.Properties},
		"model":      {"models: {a: {" + odd + "}}", root.Defs["model"].Properties},
		"target":     {"models: {a: {targets: [{" + odd + "}]}}", root.Defs["target"].Properties},
		"simulate":   {"models: {a: {targets: [{simulate: {" + odd + "}}]}}", root.Defs["simulate"].Properties},
		"callbacks":  {"callbacks: {" + odd + "}", root.Defs["callbacks"].Properties},
		"fetch":      {"fetch: {" + odd + "}", root.Defs["fetch"].Properties},
		"limits":     {"limits: {" + odd + "}", root.Defs["limits"].Properties},
		"tenant":     {"tenants: {a: {" + odd + "}}", root.Defs["tenant"].Properties},
		"auth":       {"models: {a: {targets: [{auth: {" + odd + "}}]}}", root.Defs["auth"].Properties},
		"oauth2":     {"models: {a: {targets: [{auth: {oauth2: {" + odd + "}}}]}}", root.Defs["oauth2"].Properties},
		"sigv4":      {"models: {a: {targets: [{auth: {sigv4: {" + odd + "}}}]}}", root.Defs["sigv4"].Properties},
		"tls":        {"models: {a: {targets: [{tls: {" + odd + "}}]}}", root.Defs["tls"].Properties},
		"oip":        {"models: {a: {targets: [{oip: {" + odd + "}}]}}", root.Defs["oip"].Properties},
		"intake":     {"tenants: {a: {intake: {" + odd + "}}}", root.Defs["intake"].Properties},
		"kafka":      {"kafka: {" + odd + "}", root.Defs["kafka"].Properties},
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f", []byte(tt.src))
			want := "unknown key: the keys here are " + strings.Join(slices.Sorted(maps.Keys(tt.keys)), ", ")
			if got := fmt.Sprint(err) + "\n"; len(tt.keys) == 0 || !strings.Contains(got, want+"\n") {
				t.Errorf("the loader says\n%sthe schema would have it say\n%s", got, want)
			}
		})
	}
}
