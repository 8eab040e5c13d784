package oip

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// output is what one response of a server says.
type output struct {
	text   []byte // the first element of the output's tensor
	has    bool   // there is such a tensor
	finish string // "" where it is not said
	prompt int    // tokens that went in; -1 where it is not said
	tokens int    // that came out with this response; -1 where it is not said
}

// assembly makes one answer of the responses to a call, and tells of each as it comes.
type assembly struct {
	limit int64
	delta func(model.Delta) // nil: nobody is told
	plain bool              // choices are those of a text completion

	text    strings.Builder
	tail    []byte // of the last piece: the beginning of a character that is not whole yet
	begun   bool
	has     bool
	finish  string
	prompt  int
	tokens  int
	counted bool
}

func newAssembly(call *model.Call, limit int64) *assembly {
	return &assembly{limit: limit, delta: call.Delta, plain: call.Request.Operation == events.TextCompletion}
}

// add takes a response. Its error is that the answer is too large.
func (a *assembly) add(o output) error {
	a.has = a.has || o.has
	if o.finish != "" {
		a.finish = o.finish
	}
	if o.prompt >= 0 && o.tokens >= 0 {
		a.prompt, a.counted = max(a.prompt, o.prompt), true
		a.tokens += o.tokens
	}
	if int64(a.text.Len()+len(a.tail)+len(o.text)) > a.limit {
		return a.tooLarge()
	}
	whole := slices.Concat(a.tail, o.text)
	cut := len(whole) - unfinished(whole)
	a.tail = whole[cut:]
	a.say(whole[:cut])
	return nil
}

// end returns the answer. Its error is an [*model.Error].
func (a *assembly) end() (model.Answer, error) {
	a.say(a.tail)
	if a.finish == "" {
		a.finish = "stop"
	}
	out := a.text.String()
	if !a.has {
		return model.Answer{}, a.fail(events.CodeUnusableOutput, "the response lacks the output's tensor")
	}
	// An output without a word is one that was asked for where the request's own bounds left room for none.
	bounded := a.finish == "length" || a.finish == "stop" && a.tokens > 0
	if strings.TrimSpace(out) == "" && !bounded {
		return model.Answer{}, a.fail(events.CodeUnusableOutput, "the output is empty")
	}
	if a.delta != nil {
		a.delta(model.Delta{Choices: a.chunk(`"delta":{}`, "", a.finish)})
	}
	answer := model.Answer{Output: out, FinishReason: a.finish, Usage: a.usage()}
	if a.plain {
		answer.Choices = a.chunk("", out, a.finish)
		return answer, nil
	}
	answer.Message = json.RawMessage(`{"role":"assistant","content":` + string(quoted(out)) + `,"refusal":null}`)
	return answer, nil
}

// say appends to the output, and tells of it. What is not UTF-8 would make the result no JSON: one lost character is no
// reason to lose a paid answer.
func (a *assembly) say(b []byte) {
	if len(b) == 0 {
		return
	}
	piece := strings.ToValidUTF8(string(b), "\uFFFD")
	a.text.WriteString(piece)
	if a.delta == nil {
		return
	}
	if !a.begun && !a.plain {
		a.delta(model.Delta{Choices: a.chunk(`"delta":{"role":"assistant","content":""}`, "", "")})
	}
	a.begun = true
	a.delta(model.Delta{Text: piece, Choices: a.chunk(`"delta":{"content":`+string(quoted(piece))+`}`, piece, "")})
}

// chunk returns the choices of a chunk: of a chat with the delta, of a text completion with the text.
func (a *assembly) chunk(delta, text, finish string) json.RawMessage {
	reason := []byte("null")
	if finish != "" {
		reason = quoted(finish)
	}
	said := `"index":0,` + delta
	if a.plain {
		said = `"text":` + string(quoted(text)) + `,"index":0`
	}
	return json.RawMessage(`[{` + said + `,"logprobs":null,"finish_reason":` + string(reason) + `}]`)
}

func (a *assembly) usage() *events.Usage {
	if !a.counted {
		return nil
	}
	return &events.Usage{PromptTokens: a.prompt, CompletionTokens: a.tokens, TotalTokens: a.prompt + a.tokens}
}

func (a *assembly) fail(code, why string) *model.Error {
	var cause error
	if why != "" {
		cause = errors.New(why)
	}
	e := model.NewError(code, cause)
	e.Usage = a.usage()
	return e
}

func (a *assembly) tooLarge() *model.Error {
	e := model.TooLarge(a.limit)
	e.Usage = a.usage()
	return e
}

// unfinished returns how many bytes at the end are the beginning of a character that is not whole.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// quoted returns s as a JSON string, without the escapes for HTML.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) //nolint:errchkjson // a string can always be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// count reads a count of tokens, -1 where it is none.
func count(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
