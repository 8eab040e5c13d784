package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// generated is an answer to be cut in pieces.
type generated struct {
	Content, Reasoning, Refusal string
	Calls                       []generatedCall
	Tokens                      int
	Finish                      string
}

type generatedCall struct{ ID, Name, Arguments string }

func text(t *rapid.T, name string) string {
	return strings.ToValidUTF8(rapid.StringN(0, 20, -1).Draw(t, name), "")
}

func generate(t *rapid.T) generated {
	g := generated{
		Content: text(t, "content"), Reasoning: text(t, "reasoning"), Refusal: text(t, "refusal"),
		Tokens: rapid.IntRange(0, 3).Draw(t, "tokens"), Finish: rapid.SampledFrom([]string{"stop", "length", "tool_calls"}).Draw(t, "finish"),
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "calls") {
		g.Calls = append(g.Calls, generatedCall{fmt.Sprintf("call_%d", i), "name" + text(t, "name"), text(t, "arguments")})
	}
	return g
}

// quote is a text as JSON.
func quote(s string) string {
	var b bytes.Buffer
	writeString(&b, s)
	return b.String()
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return quote(s)
}

// whole is the choice as a server writes it that answers whole.
func (g generated) whole(index int) string {
	var b strings.Builder
	content := quote(g.Content)
	if g.Content == "" && len(g.Calls) > 0 {
		content = "null"
	}
	fmt.Fprintf(&b, `{"index":%d,"message":{"role":"assistant","content":%s,"refusal":%s`, index, content, orNull(g.Refusal))
	for i, c := range g.Calls {
		fmt.Fprintf(&b, `%s{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`,
			map[bool]string{true: `,"tool_calls":[`, false: ","}[i == 0], quote(c.ID), quote(c.Name), quote(c.Arguments))
	}
	if len(g.Calls) > 0 {
		b.WriteString("]")
	}
	if g.Reasoning != "" {
		fmt.Fprintf(&b, `,"reasoning_content":%s`, quote(g.Reasoning))
	}
	b.WriteString(`},"logprobs":`)
	if g.Tokens > 0 {
		b.WriteString(`{"content":[` + strings.TrimSuffix(strings.Repeat(`{"token":"t"},`, g.Tokens), ",") + `]}`)
	} else {
		b.WriteString("null")
	}
	fmt.Fprintf(&b, `,"finish_reason":%s}`, quote(g.Finish))
	return b.String()
}

// cut cuts a text in pieces.
func cut(t *rapid.T, s string) (pieces []string) {
	for s != "" {
		n := rapid.IntRange(1, len(s)).Draw(t, "cut")
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n++
		}
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// pieces are the choice as one that answers in pieces sends it.
func (g generated) pieces(t *rapid.T, index int) []string {
	var all []string
	send := func(delta, logprobs, finish string) {
		all = append(all, fmt.Sprintf(`{"index":%d,"delta":{%s},"logprobs":%s,"finish_reason":%s}`, index, delta, logprobs, finish))
	}
	send(`"role":"assistant","content":"","refusal":null`, "null", "null")
	for i, c := range g.Calls {
		send(fmt.Sprintf(`"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]`,
			i, quote(c.ID), quote(c.Name)), "null", "null")
		for _, p := range cut(t, c.Arguments) {
			send(fmt.Sprintf(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, i, quote(p)), "null", "null")
		}
	}
	for name, s := range map[string]string{"content": g.Content, "refusal": g.Refusal, "reasoning_content": g.Reasoning} {
		for _, p := range cut(t, s) {
			send(quote(name)+":"+quote(p), "null", "null")
		}
	}
	for range g.Tokens {
		send("", `{"content":[{"token":"t"}]}`, "null")
	}
	send("", "null", quote(g.Finish))
	return all
}

func TestWhatComesInPiecesIsWhatWouldHaveComeWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "n")
		var wholes []string
		var streams [][]string
		for i := range n {
			g := generate(t)
			wholes, streams = append(wholes, g.whole(i)), append(streams, g.pieces(t, i))
		}
		var a assembly
		a.chat = true
		var said strings.Builder
		for left := n; left > 0; { // the pieces of several choices come in any order among them
			i := rapid.IntRange(0, n-1).Draw(t, "next")
			if len(streams[i]) == 0 {
				continue
			}
			text, _ := a.add(chunk{Choices: []byte("[" + streams[i][0] + "]")})
			said.WriteString(text)
			if streams[i] = streams[i][1:]; len(streams[i]) == 0 {
				left--
			}
		}
		if !a.finished() {
			t.Error("it is not finished")
		}
		if got, want := string(a.completion().Choices), "["+strings.Join(wholes, ",")+"]"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var choices []choice
		if json.Unmarshal(a.completion().Choices, &choices) != nil {
			t.Fatal("it is no JSON")
		}
		if first, _, _ := choices[0].read(""); first.Output != said.String() {
			t.Errorf("the pieces said %q, and the answer says %q", said.String(), first.Output)
		}
	})
}

func TestAssembly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deltas []string
		want   string
	}{
		"a message of nothing":                {[]string{`null`}, `{"role":"assistant","content":null,"refusal":null}`},
		"a role that repeats":                 {[]string{`{"role":"assistant"}`, `{"role":"assistant","content":"a"}`}, `{"role":"assistant","content":"a","refusal":null}`},
		"a null after a text":                 {[]string{`{"content":"a"}`, `{"content":null}`}, `{"role":"assistant","content":"a","refusal":null}`},
		"the last number":                     {[]string{`{"x":1}`, `{"x":2.50}`}, `{"role":"assistant","content":null,"refusal":null,"x":2.50}`},
		"a list that goes on":                 {[]string{`{"x":[1,"a"]}`, `{"x":[{"b":1}]}`}, `{"role":"assistant","content":null,"refusal":null,"x":[1,"a",{"b":1}]}`},
		"an object that goes on":              {[]string{`{"audio":{"id":"a","data":"x"}}`, `{"audio":{"id":"a","data":"y","expires_at":7}}`}, `{"role":"assistant","content":null,"refusal":null,"audio":{"id":"a","data":"xy","expires_at":7}}`},
		"a call of a function, as once":       {[]string{`{"function_call":{"name":"f","arguments":"{"}}`, `{"function_call":{"arguments":"}"}}`}, `{"role":"assistant","content":null,"refusal":null,"function_call":{"name":"f","arguments":"{}"}}`},
		"parts that are numbered":             {[]string{`{"d":[{"index":0,"type":"t","text":"a"}]}`, `{"d":[{"index":0,"type":"t","text":"b"},{"index":1,"text":"c"}]}`}, `{"role":"assistant","content":null,"refusal":null,"d":[{"index":0,"type":"t","text":"ab"},{"index":1,"text":"c"}]}`},
		"calls out of order":                  {[]string{`{"tool_calls":[{"index":1,"id":"b"}]}`, `{"tool_calls":[{"index":0,"id":"a"}]}`}, `{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a"},{"id":"b"}]}`},
		"calls without numbers":               {[]string{`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}`, `{"tool_calls":[{"function":{"arguments":"2"}}]}`, `{"tool_calls":[{"function":{"name":"g","arguments":"3"}}]}`}, `{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"12"}},{"function":{"name":"g","arguments":"3"}}]}`},
		"calls of one number":                 {[]string{`{"tool_calls":[{"index":0,"id":"a"}]}`, `{"tool_calls":[{"index":0,"id":"b"}]}`, `{"tool_calls":[{"index":0,"x":"c"}]}`}, `{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a"},{"id":"b","x":"c"}]}`},
		"a name in pieces":                    {[]string{`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}`, `{"tool_calls":[{"index":0,"function":{"name":"g"}}]}`}, `{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a","function":{"name":"fg"}}]}`},
		"calls that are none":                 {[]string{`{"tool_calls":[1,null,"a",[]]}`, `{"tool_calls":null}`}, `{"role":"assistant","content":null,"refusal":null,"tool_calls":[1,null,"a",[]]}`},
		"a text where a list was, and beyond": {[]string{`{"content":[{"type":"thinking"}]}`, `{"content":"a"}`, `{"tool_calls":"x"}`}, `{"role":"assistant","content":"a","refusal":null,"tool_calls":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := assembly{chat: true}
			for _, d := range c.deltas {
				a.add(chunk{Choices: []byte(`[{"index":0,"delta":` + d + `}]`)})
			}
			if got, want := string(a.completion().Choices), `[{"index":0,"message":`+c.want+`,"logprobs":null,"finish_reason":null}]`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
