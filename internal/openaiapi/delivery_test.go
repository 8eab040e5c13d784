package openaiapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/tokens"
)

const messageID = "018f3b0e-6a1c-5d7e-9b1a-2c3d4e5f6a7b"

// failer is a test of any kind.
type failer interface {
	Fatalf(format string, args ...any)
}

// heard is what a client makes of the chunks of a stream.
type heard struct {
	content, finish string
	calls           []string // name(arguments)
	done            bool
	code            string // of the error that ended it
}

// hear adds up events as the official clients do.
func hear(t failer, all []openaiapi.Event) heard {
	var h heard
	var names, arguments []string
	for _, e := range all {
		if string(e.Data) == "[DONE]" {
			h.done = true
			continue
		}
		var c struct {
			Error   *struct{ Code string }
			Choices []struct {
				Delta struct {
					Content   string
					ToolCalls []struct {
						Index    int
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				Finish string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatalf("%v in %s", err, e.Data)
		}
		if c.Error != nil {
			h.code = c.Error.Code
		}
		for _, choice := range c.Choices {
			h.content += choice.Delta.Content
			h.finish += choice.Finish
			for _, call := range choice.Delta.ToolCalls {
				if call.Index == len(names) {
					names, arguments = append(names, ""), append(arguments, "")
				}
				names[call.Index] += call.Function.Name
				arguments[call.Index] += call.Function.Arguments
			}
		}
	}
	for i := range names {
		h.calls = append(h.calls, names[i]+"("+arguments[i]+")")
	}
	return h
}

func (h heard) String() string { return fmt.Sprintf("%q %v finish %q", h.content, h.calls, h.finish) }

func completed(message, finish string) events.Result {
	return events.Result{
		MessageID: messageID, ModelID: "m", Status: events.StatusCompleted, Message: json.RawMessage(message), FinishReason: finish,
	}
}

func piece(attempt, n int, choices string) tokens.Piece {
	return tokens.Piece{ID: tokens.ID{Attempt: attempt, Token: 1, N: n}, Choices: json.RawMessage(choices)}
}

func said(delta string) string {
	return `[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":null}]`
}

const (
	role   = `[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`
	stop   = `[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]`
	answer = `{"role":"assistant","content":"one two","refusal":null}`
)

func TestAStreamEndsAsTheResultDoes(t *testing.T) {
	t.Parallel()
	one, two := said(`{"content":"one"}`), said(`{"content":" two"}`)
	const weather = `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}`
	begun := said(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}`)
	half := said(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}`)
	thought := said(`{"reasoning_content":"hm"}`)
	for _, c := range []struct {
		name    string
		pieces  []tokens.Piece
		message string
		passed  int // pieces that are passed on as they come
		want    string
	}{
		{"all pieces", []tokens.Piece{piece(1, 0, role), piece(1, 1, one), piece(1, 2, two), piece(1, 3, stop)}, answer, 4, `"one two" [] finish "stop"`},
		{"no pieces", nil, answer, 0, `"one two" [] finish "stop"`},
		{"no end", []tokens.Piece{piece(1, 0, role), piece(1, 1, one)}, answer, 2, `"one two" [] finish "stop"`},
		{"a gap", []tokens.Piece{piece(1, 0, role), piece(1, 2, two), piece(1, 3, stop)}, answer, 1, `"one two" [] finish "stop"`},
		{"the first is missing", []tokens.Piece{piece(1, 1, one), piece(1, 2, two)}, answer, 0, `"one two" [] finish "stop"`},
		{"a piece twice", []tokens.Piece{piece(1, 0, role), piece(1, 1, one), piece(1, 1, one), piece(1, 2, two)}, answer, 3, `"one two" [] finish "stop"`},
		{"pieces of text alone", []tokens.Piece{{ID: tokens.ID{Attempt: 1}, Text: "one"}, {ID: tokens.ID{Attempt: 1, N: 1}, Text: " two"}}, answer, 2, `"one two" [] finish "stop"`},
		{"another attempt after nothing was said", []tokens.Piece{piece(1, 0, role), piece(2, 0, role), piece(2, 1, one)}, answer, 3, `"one two" [] finish "stop"`},
		{"another attempt that begins the same", []tokens.Piece{piece(1, 0, role), piece(1, 1, one), piece(2, 0, role), piece(2, 1, one), piece(2, 2, two)}, answer, 2, `"one two" [] finish "stop"`},
		{"another attempt that says otherwise", []tokens.Piece{piece(1, 0, role), piece(1, 1, said(`{"content":"three"}`)), piece(2, 0, role), piece(2, 1, one)}, answer, 2, "interrupted"},
		{"an end before the end", []tokens.Piece{piece(1, 0, role), piece(1, 1, one), piece(1, 2, stop)}, answer, 3, "interrupted"},
		{"what is no chunk", []tokens.Piece{piece(1, 0, role), piece(1, 1, `{"no":"list"}`), piece(1, 2, two)}, answer, 1, `"one two" [] finish "stop"`},
		{"a call", []tokens.Piece{piece(1, 0, begun), piece(1, 1, half)}, weather, 2, `"" [f({"a":1})] finish "stop"`},
		{"a call and no pieces", nil, weather, 0, `"" [f({"a":1})] finish "stop"`},
		{"a call that another attempt makes otherwise", []tokens.Piece{piece(1, 0, begun), piece(1, 1, said(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"b\""}}]}`))}, weather, 2, "interrupted"},
		{"a call that another attempt does not make", []tokens.Piece{piece(1, 0, begun)}, answer, 1, "interrupted"},
		{"thought before the answer", []tokens.Piece{piece(1, 0, role), piece(1, 1, thought), piece(1, 3, one)}, `{"role":"assistant","content":"one two","reasoning_content":"hm!"}`, 2, `"one two" [] finish "stop"`},
		{"thought that the answer does not have", []tokens.Piece{piece(1, 0, role), piece(1, 1, thought), piece(1, 3, one)}, answer, 2, "interrupted"},
		{"a choice that the answer does not have", []tokens.Piece{piece(1, 0, `[{"index":1,"delta":{"content":"x"}}]`)}, answer, 1, "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openaiapi.NewChunks(chat(t), messageID, time.Unix(1, 0))
			var all []openaiapi.Event
			passed := 0
			for _, p := range c.pieces {
				told := s.Take(p)
				if len(told) > 0 {
					passed++
				}
				all = append(all, told...)
			}
			h := hear(t, append(all, s.End(completed(c.message, "stop"))...))
			got := h.String()
			if !h.done {
				got = strings.TrimPrefix(h.code, "stream_")
			}
			if got != c.want || passed != c.passed {
				t.Errorf("heard %s, %d pieces as they came; want %s, %d", got, passed, c.want, c.passed)
			}
		})
	}
}

func chat(t failer) *openaiapi.Request {
	r, err := openaiapi.Read(openaiapi.ChatCompletions, []byte(`{"model":"m","stream":true,"messages":[]}`))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return r
}

// TestNoStreamIsAMixture lets attempts of any text be cut, superseded and lost in any way: whoever is told that the stream is done
// has heard the result, and nothing else.
func TestNoStreamIsAMixture(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", " "}), 0, 6)
		s := openaiapi.NewChunks(chat(t), messageID, time.Unix(1, 0))
		e := openaiapi.NewResponseEvents(openaiapi.Echo{}, messageID, "m", time.Unix(1, 0), -1)
		var all, told []openaiapi.Event
		var final strings.Builder
		for attempt := range rapid.IntRange(1, 3).Draw(t, "attempts") {
			final.Reset()
			n := 0
			take := func(choices string) {
				p := piece(attempt+1, n, choices)
				n++
				if !rapid.Bool().Draw(t, "lost") {
					all = append(all, s.Take(p)...)
					told = append(told, e.Take(p)...)
				}
			}
			take(role)
			for _, w := range words.Draw(t, "words") {
				final.WriteString(w)
				take(said(fmt.Sprintf(`{"content":%q}`, w)))
			}
			if rapid.Bool().Draw(t, "finished") {
				take(stop)
			}
		}
		res := completed(fmt.Sprintf(`{"role":"assistant","content":%q}`, final.String()), "stop")
		h := hear(t, append(all, s.End(res)...))
		if h.done == (h.code != "") || h.done && (h.content != final.String() || h.finish != "stop") {
			t.Fatalf("heard %v, done %v, code %q; the result is %q", h, h.done, h.code, final.String())
		}
		var text strings.Builder
		ended := ""
		for i, ev := range append(told, e.End(res)...) {
			var d struct{ Type, Delta, Code string }
			if err := json.Unmarshal(ev.Data, &d); err != nil || ev.Number != i {
				t.Fatalf("event %d: %v in %s", i, err, ev.Data)
			}
			text.WriteString(d.Delta)
			ended = d.Type
		}
		if ended != "error" && (ended != "response.completed" || text.String() != final.String()) {
			t.Fatalf("heard %q and %s; the result is %q", text.String(), ended, final.String())
		}
		if (ended == "error") != (h.code != "") {
			t.Fatalf("the two streams do not agree: %s and %q", ended, h.code)
		}
	})
}

// TestAResponseIsTakenUpWhereItWasLeft takes streams up after any event, with the pieces still there and without.
func TestAResponseIsTakenUpWhereItWasLeft(t *testing.T) {
	t.Parallel()
	pieces := []tokens.Piece{piece(1, 0, role), piece(1, 1, said(`{"content":"one"}`)), piece(1, 2, said(`{"content":" two"}`)), piece(1, 3, stop)}
	res := completed(answer, "stop")
	run := func(after int, pieces []tokens.Piece) (all []openaiapi.Event) {
		s := openaiapi.NewResponseEvents(openaiapi.Echo{}, messageID, "m", time.Unix(1, 0), after)
		all = s.Begin()
		for _, p := range pieces {
			all = append(all, s.Take(p)...)
		}
		return append(all, s.End(res)...)
	}
	whole := run(-1, pieces)
	for after := range len(whole) - 1 {
		rest := run(after, pieces)
		if len(rest) != len(whole)-after-1 {
			t.Fatalf("after %d come %d events, want %d", after, len(rest), len(whole)-after-1)
		}
		for i, e := range rest {
			if !bytes.Equal(e.Data, whole[after+1+i].Data) {
				t.Errorf("after %d comes %s, want %s", after, e.Data, whole[after+1+i].Data)
			}
		}
		for n := range pieces { // some are no longer kept
			rest := run(after, pieces[n+1:])
			last := rest[len(rest)-1]
			if last.Name != "response.completed" || rest[0].Number != after+1 {
				t.Errorf("after %d, without pieces: from %d to %s", after, rest[0].Number, last.Name)
			}
			for _, e := range rest {
				if after >= 4 && strings.HasSuffix(e.Name, ".delta") {
					t.Errorf("after %d, without pieces, comes %s: it may be there twice", after, e.Data)
				}
			}
		}
	}
}

func TestAnAnswerThatCannotBeReadIsNotStreamed(t *testing.T) {
	t.Parallel()
	s := openaiapi.NewChunks(chat(t), messageID, time.Unix(1, 0))
	res := completed(answer, "stop")
	res.Choices = json.RawMessage(`[7]`)
	if h := hear(t, s.End(res)); h.done || h.code != events.CodeUnusableOutput {
		t.Errorf("heard %v", h)
	}
	if _, err := chat(t).Answer(res); err == nil || errors.Is(err, openaiapi.ErrInterrupted) {
		t.Errorf("answered with %v", err)
	}
}
