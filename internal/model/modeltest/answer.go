package modeltest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

func answers(t *testing.T, k Kind) {
	w := setup(t, k, says("yes", ", it ", "is"))
	a, err := w.call(w.ask("is it?"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Role, Content string }
	if err := json.Unmarshal(a.Message, &m); err != nil {
		t.Errorf("the message %s: %v", a.Message, err)
	}
	if a.Output != "yes, it is" || m.Role != "assistant" || m.Content != a.Output || a.FinishReason != "stop" {
		t.Errorf("got %q, %q, message %s", a.Output, a.FinishReason, a.Message)
	}
	if p := w.last().Prompt; p != "is it?" {
		t.Errorf("the server was asked %q", p)
	}
	w.called(1)
}

func usageSaid(t *testing.T, k Kind) {
	usage := &events.Usage{PromptTokens: 7, CompletionTokens: 5, TotalTokens: 12}
	for name, said := range map[string]*events.Usage{"said": usage, "not said": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, k, func(context.Context, Seen) Script { return Script{Pieces: []string{"a", "b"}, Usage: said} })
			var deltas []model.Delta
			for _, call := range []model.Call{w.ask("p"), w.streamed("p", &deltas)} {
				a, err := w.call(call)
				if err != nil {
					t.Fatal(err)
				}
				want := said
				if !k.Usage {
					want = nil
				}
				if (a.Usage == nil) != (want == nil) {
					t.Errorf("got %+v, want %+v", a.Usage, want)
				} else if want != nil && (a.Usage.PromptTokens != 7 || a.Usage.CompletionTokens != 5 || a.Usage.TotalTokens != 12) {
					t.Errorf("got %+v", a.Usage)
				}
			}
		})
	}
}

// script is text of several scripts, with characters of one to four bytes, and what JSON escapes.
const script = "naïve Ωmega שלום 漢字 👩🏽‍🚀 e\u0301 \u202eabc\u202c \"quoted\" \\ / <b>&amp;</b>\t\n\u0001\u2028 end"

func unicodeSurvives(t *testing.T, k Kind) {
	for _, bit := range []int{0, 1, 3} {
		t.Run(fmt.Sprintf("in bits of %d", bit), func(t *testing.T) {
			t.Parallel()
			w := setup(t, k, says(strings.SplitAfter(script, " ")...))
			w.wire.trickle(bit)
			var deltas []model.Delta
			for _, call := range []model.Call{w.ask(script), w.streamed(script, &deltas)} {
				a, err := w.call(call)
				if err != nil {
					t.Fatal(err)
				}
				if a.Output != script {
					t.Errorf("got  %q\nwant %q", a.Output, script)
				}
				if p := w.last().Prompt; p != script {
					t.Errorf("the server was asked %q", p)
				}
			}
			if got := text(deltas); got != script {
				t.Errorf("the deltas say %q", got)
			}
		})
	}
}

func headersArrive(t *testing.T, k Kind) {
	w := setup(t, k, says("yes"))
	w.target.Headers = map[string]string{"x-route": "blue"}
	call := w.ask("p")
	call.TraceParent, call.TraceState = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1"
	if _, err := w.call(call); err != nil {
		t.Fatal(err)
	}
	seen := w.last()
	for name, want := range map[string]string{
		"traceparent": call.TraceParent, "tracestate": "vendor=1", "idempotency-key": call.ID, "x-route": "blue",
	} {
		if got := seen.Header(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if seen.Credential != credential {
		t.Errorf("the credential is %q", seen.Credential)
	}
	call.ID, call.TraceParent, call.TraceState = "with\na line", "", "vendor=1"
	if _, err := w.call(call); err != nil {
		t.Errorf("what cannot be a header fails the call: %v", err)
	}
}

func emptyRefused(t *testing.T, k Kind) {
	w := setup(t, k, says(" \n"))
	w.fails(w.ask("p"), events.CodeUnusableOutput, true)
	w.called(1)
}

func deltasAreTheOutput(t *testing.T, k Kind) {
	pieces := strings.SplitAfter("one two three four five six", " ")
	w := setup(t, k, says(pieces...))
	var deltas []model.Delta
	a, err := w.call(w.streamed("p", &deltas))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(deltas); got != a.Output || a.Output != strings.Join(pieces, "") {
		t.Errorf("the deltas say %q, the output %q", got, a.Output)
	}
	var said []string
	ended := false
	for _, d := range deltas {
		var choices []struct {
			Index  int
			Delta  struct{ Content string }
			Finish *string `json:"finish_reason"`
		}
		if err := json.Unmarshal(d.Choices, &choices); err != nil || len(choices) != 1 || choices[0].Index != 0 {
			t.Fatalf("the choices of a delta are %s, %v", d.Choices, err)
		}
		if ended {
			t.Errorf("%s comes after the end", d.Choices)
		}
		if ended = choices[0].Finish != nil; ended && *choices[0].Finish != "stop" {
			t.Errorf("it ends by %s", d.Choices)
		}
		if choices[0].Delta.Content != d.Text {
			t.Errorf("a delta of %q has the choices %s", d.Text, d.Choices)
		}
		if d.Text != "" {
			said = append(said, d.Text)
		}
	}
	if !ended {
		t.Error("no delta says that it ended")
	}
	if k.Pieces && !slices.Equal(said, pieces) || !k.Pieces && len(said) != 1 {
		t.Errorf("the pieces are %q", said)
	}
}

func firstDeltaEarly(t *testing.T, k Kind) {
	if !k.Pieces {
		w := setup(t, k, says("one ", "two"))
		var deltas []model.Delta
		if _, err := w.call(w.streamed("p", &deltas)); err != nil || text(deltas) != "one two" {
			t.Errorf("%v, %v", deltas, err)
		}
		return
	}
	arrived := make(chan struct{})
	var once sync.Once
	w := setup(t, k, func(ctx context.Context, _ Seen) Script {
		return Script{Pieces: []string{"one ", "two"}, Before: func(n int) {
			if n == 1 { // the rest is held until the client has the first
				select {
				case <-arrived:
				case <-ctx.Done():
				}
			}
		}}
	})
	call := w.ask("p")
	call.Delta = func(d model.Delta) {
		if d.Text == "one " {
			once.Do(func() { close(arrived) })
		}
	}
	if a, err := w.call(call); err != nil || a.Output != "one two" {
		t.Errorf("%q, %v", a.Output, err)
	}
}

func hugeBounded(t *testing.T, k Kind) {
	for name, tc := range map[string]struct {
		piece, pieces int
		large         bool
	}{
		"one piece over it":   {MaxAnswer + 1, 1, true},
		"far over it":         {16 * MaxAnswer, 1, true},
		"many pieces over it": {1 << 10, MaxAnswer>>10 + 8, true},
		"one piece below":     {MaxAnswer - 8<<10, 1, false},
		"many pieces below":   {1 << 10, MaxAnswer>>10 - 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pieces := slices.Repeat([]string{strings.Repeat("x", tc.piece)}, tc.pieces)
			w := setup(t, k, says(pieces...))
			var deltas []model.Delta
			for _, call := range []model.Call{w.ask("p"), w.streamed("p", &deltas)} {
				if tc.large {
					w.fails(call, events.CodeOutputTooLarge, true)
				} else if a, err := w.call(call); err != nil || len(a.Output) != tc.piece*tc.pieces {
					t.Errorf("%d bytes, %v", len(a.Output), err)
				}
			}
			w.called(2)
		})
	}
}

func manyAtOnce(t *testing.T, k Kind) {
	w := setup(t, k, func(_ context.Context, s Seen) Script { return Script{Pieces: []string{"you said ", s.Prompt}} })
	var calls sync.WaitGroup
	const n = 32
	for i := range n {
		calls.Go(func() {
			prompt := fmt.Sprint("prompt ", i)
			var deltas []model.Delta
			a, err := w.client.Call(t.Context(), w.streamed(prompt, &deltas))
			if err != nil || a.Output != "you said "+prompt || text(deltas) != a.Output {
				t.Errorf("%q, %v", a.Output, err)
			}
		})
	}
	calls.Wait()
	w.called(n)
}
