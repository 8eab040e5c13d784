package simulated

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas are those that instances are made of in tests: what the official clients make of types, and some beyond.
var schemas = []string{
	`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"number"},"d":{"type":"boolean"},"e":{"type":"null"}},"required":["a","b","c","d","e"],"additionalProperties":false}`,
	`{"type":"object","properties":{"unit":{"enum":["C","F"]},"kind":{"const":"x"},"when":{"type":"string","format":"date-time"},"day":{"type":"string","format":"date"},"who":{"type":"string","format":"email"},"id":{"type":"string","format":"uuid"},"at":{"type":"string","format":"uri"}},"required":["unit","kind","when","day","who","id","at"]}`,
	`{"type":"array","items":{"type":"integer","minimum":3,"maximum":5},"minItems":3,"maxItems":4}`,
	`{"type":"integer","exclusiveMinimum":-3,"exclusiveMaximum":0}`,
	`{"type":"integer","minimum":-5,"maximum":-5}`,
	`{"type":"number","maximum":0}`,
	`{"type":"integer","multipleOf":7,"minimum":1,"maximum":70}`,
	`{"type":"string","minLength":40,"maxLength":50}`,
	`{"type":["integer","null"]}`,
	`{"anyOf":[{"type":"string"},{"type":"null"}]}`,
	`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"integer"}},"required":["b"]}]}`,
	`{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]},"n":{"type":"integer"}},"required":["next","n"],"additionalProperties":false}`,
	`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#/$defs/node"}},"a/b":{"$ref":"#/$defs/x~1y"}},"required":["children","a/b"]},"x/y":{"type":"boolean"}}}`,
	`{"properties":{"a":{}}}`, `{}`, `true`,
}

func TestAnInstanceSatisfiesItsSchema(t *testing.T) {
	t.Parallel()
	for _, text := range schemas {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			c := jsonschema.NewCompiler()
			c.AssertFormat()
			if err := c.AddResource("schema.json", parsed); err != nil {
				t.Fatal(err)
			}
			schema, err := c.Compile("schema.json")
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(50) {
				d := newDraw(seed, 1)
				made := instance(&d, json.RawMessage(text))
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(made))
				if err != nil {
					t.Fatal(err)
				}
				if err := schema.Validate(v); err != nil {
					t.Errorf("%s: %v", made, err)
				}
			}
		})
	}
}

func FuzzInstance(f *testing.F) {
	for _, text := range schemas {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"$ref":"#"}`))
	f.Add([]byte(`{"type":"array","minItems":1e300,"items":{"$ref":"#"}}`))
	f.Add([]byte(`{"type":"string","minLength":1e300,"maxLength":-5}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		d := newDraw(1, 1)
		if made := instance(&d, schema); !json.Valid([]byte(made)) {
			t.Errorf("no JSON: %q", made)
		}
	})
}
