package answers_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
)

// asked is everything that a key is made of.
type asked struct {
	tenant, arm string
	model       catalog.Model
	request     string
	members     []*catalog.Model
}

func (a asked) key(t testing.TB) string {
	t.Helper()
	var r events.Request
	if err := json.Unmarshal([]byte(a.request), &r); err != nil {
		t.Fatalf("%s: %v", a.request, err)
	}
	return answers.Key(a.tenant, &a.model, a.arm, r, a.members...)
}

func target(api, model, url string) *catalog.Target {
	return &catalog.Target{Name: "a", API: api, Model: model, URL: url, Weight: 1}
}

func ask(change func(*asked)) asked {
	a := asked{
		tenant: "search", arm: answers.Stable,
		model: catalog.Model{ID: "gpt", Targets: []*catalog.Target{
			target("openai", "gpt-4", "https://one.example"), target("openai", "gpt-4", "https://two.example"),
		}},
		request: `{"model_id":"gpt","prompt":"x","parameters":{"temperature":1,"stop":["a","b"],"seed":9007199254740993}}`,
	}
	change(&a)
	return a
}

func says(request string) asked { return ask(func(a *asked) { a.request = request }) }

func TestAKeyIsTheSameForWhatHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	plain := ask(func(*asked) {})
	for name, pair := range map[string][2]asked{
		"itself": {plain, ask(func(*asked) {})},
		"what says nothing to the model": {plain, says(`{"request_id":"6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e","model_id":"gpt","prompt":"x",
			"parameters":{"temperature":1,"stop":["a","b"],"seed":9007199254740993},"metadata":{"a":"b"},
			"callback_url":"https://x.example","priority":"high","deadline_seconds":9}`)},
		"a prompt and the message that it is": {plain, says(
			`{"model_id":"gpt","messages":[{"role":"user","content":"x"}],"parameters":{"temperature":1,"stop":["a","b"],"seed":9007199254740993}}`)},
		"members in another order": {plain, says(
			`{"parameters":{"seed":9007199254740993,"stop":["a","b"],"temperature":1},"prompt":"x","model_id":"gpt"}`)},
		"numbers in another spelling": {plain, says(
			`{"model_id":"gpt","prompt":"x","parameters":{"temperature":1.0,"stop":["a","b"],"seed":9007199254740993.00e0}}`)},
		"layout": {plain, says("{\"model_id\":\"gpt\", \"prompt\":\"x\" , \"parameters\": {\n\"temperature\": 1,\t\"stop\":[ \"a\" , \"b\"], \"seed\":9007199254740993} }")},
		"strings in another spelling": {
			says(`{"prompt":"é/<\n😀","parameters":{"stop":"é/<"}}`),
			says(`{"prompt":"\u00e9\/\u003c\u000a\ud83d\ude00","parameters":{"st\u006fp":"\u00E9\/\u003C"}}`),
		},
		"messages in another spelling": {
			says(`{"messages":[{"role":"user","content":"é\n"},{"role":"assistant","tool_calls":[{"id":"1","n":10}]}]}`),
			says(`{"messages":[ {"content":"\u00e9\u000A","role":"user"},{"tool_calls":[{"n":1e1,"id":"1"}],"role":"assistant"}]}`),
		},
		"parameters that reach no model": {
			says(`{"prompt":"x"}`),
			says(`{"prompt":"x","parameters":{"stream":false,"stream_options":{"a":1},"model":"y","messages":[]}}`),
		},
		"no operation and chat": {plain, says(
			`{"operation":"chat","prompt":"x","parameters":{"temperature":1,"stop":["a","b"],"seed":9007199254740993}}`)},
		"an input in another spelling": {
			says(`{"operation":"embeddings","input":["é","b"]}`), says(`{"operation":"embeddings","input": [ "\u00e9" , "b" ]}`),
		},
		"what embeddings are not of": {
			says(`{"operation":"embeddings","input":"x"}`), says(`{"operation":"embeddings","input":"x","parameters":{"input":"y"}}`),
		},
		"an answer that is wanted in pieces": {says(`{"prompt":"x"}`), says(`{"prompt":"x","stream":true}`)},
		"none and no parameters":             {says(`{"prompt":"x"}`), says(`{"prompt":"x","parameters":{}}`)},
		"none and empty messages":            {says(`{}`), says(`{"messages":[]}`)},
		"names, weights and keys of targets": {plain, ask(func(a *asked) {
			for _, t := range a.model.Targets {
				t.Name, t.Weight, t.Key, t.Concurrency = "b", 9, "env:KEY", 7
			}
			a.model.Strategy, a.model.Attempts = catalog.Adaptive, 9
		})},
		"targets in another order, and one more that is the same": {plain, ask(func(a *asked) {
			a.model.Targets = []*catalog.Target{a.model.Targets[1], a.model.Targets[0], a.model.Targets[1]}
		})},
		"a canary that gets more": {
			ask(func(a *asked) { a.model.Targets[1].Canary = 0.05 }), ask(func(a *asked) { a.model.Targets[1].Canary = 0.1 }),
		},
		"a group in another order and with other weights": {
			ask(func(a *asked) { a.model.Group = []catalog.Member{{Model: "a", Weight: 1}, {Model: "b", Weight: 2}} }),
			ask(func(a *asked) { a.model.Group = []catalog.Member{{Model: "b", Weight: 3}, {Model: "a", Weight: 4}} }),
		},
	} {
		if a, b := pair[0].key(t), pair[1].key(t); a != b {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
}

func TestAKeyIsAnotherForWhatMayHaveAnotherAnswer(t *testing.T) {
	t.Parallel()
	group := func(change func(*asked)) asked {
		return ask(func(a *asked) {
			a.model.Targets, a.model.Group = nil, []catalog.Member{{Model: "a", Weight: 1}, {Model: "b", Weight: 1}}
			a.members = []*catalog.Model{
				{ID: "a", Targets: []*catalog.Target{target("openai", "a", "https://a.example")}},
				{ID: "b", Targets: []*catalog.Target{target("openai", "b", "https://b.example")}},
			}
			change(a)
		})
	}
	all := map[string]asked{
		"itself":                        ask(func(*asked) {}),
		"another tenant":                ask(func(a *asked) { a.tenant = "shop" }),
		"another arm":                   ask(func(a *asked) { a.arm = answers.Canary }),
		"another model":                 ask(func(a *asked) { a.model.ID = "gpt5" }),
		"tenant and model run together": ask(func(a *asked) { a.tenant, a.model.ID = "searchgpt", "" }),
		"a target of another api":       ask(func(a *asked) { a.model.Targets[0].API = "oip-http" }),
		"a target's other model":        ask(func(a *asked) { a.model.Targets[0].Model = "gpt-4o" }),
		"a target elsewhere":            ask(func(a *asked) { a.model.Targets[0].URL = "https://three.example" }),
		"a target less":                 ask(func(a *asked) { a.model.Targets = a.model.Targets[:1] }),
		"a target on trial":             ask(func(a *asked) { a.model.Targets[1].Canary = 0.05 }),
		"simulated otherwise":           ask(func(a *asked) { a.model.Targets[1].Simulate = &catalog.Simulate{Seed: 2} }),
		"a group":                       group(func(*asked) {}),
		"a group with another member":   group(func(a *asked) { a.model.Group[1].Model = "c" }),
		"a group of which one is made otherwise": group(func(a *asked) {
			a.members[1].Targets[0].URL = "https://c.example"
		}),
		"a group of which the two are swapped": group(func(a *asked) {
			a.members[0].Targets, a.members[1].Targets = a.members[1].Targets, a.members[0].Targets
		}),
		"a group whose members are not said": group(func(a *asked) { a.members = nil }),
	}
	for name, request := range map[string]string{
		"another prompt":                  `{"prompt":"X"}`,
		"a prompt with a space":           `{"prompt":"x "}`,
		"a prompt that looks like JSON":   `{"prompt":"[{\"role\":\"user\",\"content\":\"x\"}]"}`,
		"no parameters":                   `{"prompt":"x"}`,
		"a message of the system":         `{"messages":[{"role":"system","content":"x"}]}`,
		"two messages":                    `{"messages":[{"role":"user","content":"x"},{"role":"user","content":"x"}]}`,
		"two messages the other way":      `{"messages":[{"role":"user","content":"x"},{"role":"user","content":"y"}]}`,
		"and back":                        `{"messages":[{"role":"user","content":"y"},{"role":"user","content":"x"}]}`,
		"a text to complete":              `{"operation":"text_completion","input":"x"}`,
		"two texts to complete":           `{"operation":"text_completion","input":["x","y"]}`,
		"another text to complete":        `{"operation":"text_completion","input":"y"}`,
		"an embedding":                    `{"operation":"embeddings","input":"x"}`,
		"an embedding of tokens":          `{"operation":"embeddings","input":[1,2]}`,
		"an embedding in base64":          `{"operation":"embeddings","input":"x","parameters":{"encoding_format":"base64"}}`,
		"a message of parts":              `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`,
		"a message with a name":           `{"messages":[{"role":"user","content":"x","name":"n"}]}`,
		"a temperature":                   `{"prompt":"x","parameters":{"temperature":1}}`,
		"another temperature":             `{"prompt":"x","parameters":{"temperature":1.1}}`,
		"a temperature close to it":       `{"prompt":"x","parameters":{"temperature":1.1000000000000000001}}`,
		"a temperature that is a string":  `{"prompt":"x","parameters":{"temperature":"1"}}`,
		"a temperature of null":           `{"prompt":"x","parameters":{"temperature":null}}`,
		"a list in one order":             `{"prompt":"x","parameters":{"stop":["a","b"]}}`,
		"a list in another":               `{"prompt":"x","parameters":{"stop":["b","a"]}}`,
		"a list run together":             `{"prompt":"x","parameters":{"stop":["ab"]}}`,
		"a list that is a string":         `{"prompt":"x","parameters":{"stop":"ab"}}`,
		"a list in a list":                `{"prompt":"x","parameters":{"stop":[["ab"]]}}`,
		"a seed of 2^53":                  `{"prompt":"x","parameters":{"seed":9007199254740992}}`,
		"a seed of 2^53 + 1":              `{"prompt":"x","parameters":{"seed":9007199254740993}}`,
		"a seed of another name":          `{"prompt":"x","parameters":{"Seed":9007199254740993}}`,
		"a number that no float64 holds":  `{"prompt":"x","parameters":{"a":1e400}}`,
		"and the one after it":            `{"prompt":"x","parameters":{"a":1e401}}`,
		"a number that no int64 counts":   `{"prompt":"x","parameters":{"a":1e99999999999999999999}}`,
		"and the one after that":          `{"prompt":"x","parameters":{"a":1e99999999999999999998}}`,
		"a tiny number":                   `{"prompt":"x","parameters":{"a":1e-400}}`,
		"zero":                            `{"prompt":"x","parameters":{"a":0}}`,
		"a member twice":                  `{"prompt":"x","parameters":{"o":{"a":1,"a":2}}}`,
		"a member twice, the other way":   `{"prompt":"x","parameters":{"o":{"a":2,"a":1}}}`,
		"its first value alone":           `{"prompt":"x","parameters":{"o":{"a":1}}}`,
		"its last value alone":            `{"prompt":"x","parameters":{"o":{"a":2}}}`,
		"half of a pair":                  `{"prompt":"x","parameters":{"o":"\ud83d"}}`,
		"another half":                    `{"prompt":"x","parameters":{"o":"\ud83e"}}`,
		"what half of a pair is read as":  `{"prompt":"x","parameters":{"o":"\ufffd"}}`,
		"an empty string":                 `{"prompt":"x","parameters":{"o":""}}`,
		"an empty object":                 `{"prompt":"x","parameters":{"o":{}}}`,
		"an empty list":                   `{"prompt":"x","parameters":{"o":[]}}`,
		"what bytes are written as":       `{"prompt":"x","parameters":{"o":["7b2261223a312c2261223a327d","bytes"]}}`,
		"a name that ends a string early": `{"prompt":"x","parameters":{"o\":1,\"p":1}}`,
		"the two that it would be":        `{"prompt":"x","parameters":{"o":1,"p":1}}`,
	} {
		all[name] = says(request)
	}
	seen := map[string]string{}
	for name, a := range all {
		k := a.key(t)
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[k] = name
	}
}

func TestAKeyIsSafeInAnAttributeAndAHeader(t *testing.T) {
	t.Parallel()
	if k := ask(func(*asked) {}).key(t); !regexp.MustCompile(`^v1\.[A-Za-z0-9_-]{43}$`).MatchString(k) {
		t.Errorf("the key is %q", k)
	}
}
