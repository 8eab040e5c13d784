package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"baton.dev/baton/events"
)

// completion is an answer as far as it is read. What it could do without stays raw, so that an odd usage does not cost a paid
// answer.
type completion struct {
	Choices json.RawMessage `json:"choices"`
	Data    json.RawMessage `json:"data"` // of embeddings
	Usage   json.RawMessage `json:"usage"`
}

type choice struct {
	Message      json.RawMessage `json:"message"`
	Text         json.RawMessage `json:"text"` // of a text completion, which has no message
	FinishReason json.RawMessage `json:"finish_reason"`
}

// message is an assistant's message as far as it is read.
type message struct {
	Content      json.RawMessage `json:"content"`
	ToolCalls    json.RawMessage `json:"tool_calls"`
	FunctionCall json.RawMessage `json:"function_call"` // what tool_calls replaced; some servers still send it
	Refusal      json.RawMessage `json:"refusal"`
	Audio        json.RawMessage `json:"audio"`
}

// decodeCompletion reads the body of an answer.
func decodeCompletion(body []byte) (completion, error) {
	var c completion
	if err := json.Unmarshal(validUTF8(body), &c); err != nil {
		// The decoder's words can quote the body.
		return completion{}, NewError(events.CodeUnusableOutput, errors.New("the body is no completion"))
	}
	return c, nil
}

// validUTF8 returns the bytes with what is no UTF-8 replaced, such as a token cut in the middle of a character. It would make
// the result no JSON; one lost character is no reason to lose a paid answer.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}

// answer returns what the completion says to the request: the first choice in which there is something to keep, or else the
// first that is empty by the request's own bounds. Its error is an [*Error] of [events.CodeUnusableOutput] or
// [events.CodeContentRefused], with the usage where there is one.
func (c completion) answer(r events.Request) (Answer, error) {
	a, code, why := c.judge(r)
	usage := decodeUsage(c.Usage)
	if code != "" {
		e := NewError(code, errors.New(why))
		e.Usage = usage
		return Answer{}, e
	}
	a.Usage = usage
	return a, nil
}

// judge returns the answer without its usage, or the code and the cause for which it is none.
func (c completion) judge(r events.Request) (_ Answer, code, why string) {
	if r.Operation == events.Embeddings {
		return c.embeddings(r)
	}
	var choices []choice
	if json.Unmarshal(c.Choices, &choices) != nil || len(choices) == 0 {
		return Answer{}, events.CodeUnusableOutput, "the completion has no choices"
	}
	counted := decodeUsage(c.Usage)
	var empty *Answer
	filtered := false
	for _, ch := range choices {
		a, says, ok := ch.read(r.Operation)
		if says {
			a.Choices = c.kept(r)
			return a, "", ""
		}
		if ok && empty == nil && a.bounded(counted) {
			empty = &a
		}
		filtered = filtered || a.FinishReason == "content_filter"
	}
	switch {
	case filtered:
		return Answer{}, events.CodeContentRefused, "the filter left nothing of the output"
	case empty != nil:
		empty.Choices = c.kept(r)
		return *empty, "", ""
	default:
		return Answer{}, events.CodeUnusableOutput, "the message is empty"
	}
}

// read returns the choice as an answer, whether that says anything, and whether it has the shape of one at all.
func (ch choice) read(operation string) (a Answer, says, ok bool) {
	a.FinishReason = jsonString(ch.FinishReason)
	if operation == events.TextCompletion {
		a.Output = jsonString(ch.Text)
		return a, strings.TrimSpace(a.Output) != "", len(ch.Text) > 0 && ch.Text[0] == '"'
	}
	var m message
	if json.Unmarshal(ch.Message, &m) != nil || !isObject(ch.Message) {
		return a, false, false
	}
	a.Message, a.Output = ch.Message, contentText(m.Content)
	return a, strings.TrimSpace(a.Output) != "" || m.saysOtherwise(), true
}

// kept returns the choices where one message does not say all that was asked for.
func (c completion) kept(r events.Request) json.RawMessage {
	var logprobs bool
	_ = json.Unmarshal(r.Parameters["logprobs"], &logprobs) // what is no bool is not asked for
	if r.Operation == events.TextCompletion || logprobs || over(r, "n", 1) || over(r, "top_logprobs", 0) {
		return c.Choices
	}
	return nil
}

// bounded reports whether an answer without a word ended as the request told it to: at its bound of tokens, which a
// reasoning model can spend on thought alone, or at a stop sequence before the first word. That a model stopped by itself
// says as much only where the server counted tokens; without, it is a server that made none.
//
// OpenAI's own clients take it for an answer. As a failure of the target, one caller's bound would open its breaker for all,
// and be paid for again elsewhere.
func (a *Answer) bounded(usage *events.Usage) bool {
	return a.FinishReason == "length" || a.FinishReason == "stop" && usage != nil && usage.CompletionTokens > 0
}

// saysOtherwise reports whether the message has something to keep besides content.
func (m message) saysOtherwise() bool {
	var calls []json.RawMessage
	return json.Unmarshal(m.ToolCalls, &calls) == nil && len(calls) > 0 ||
		isObject(m.FunctionCall) || isObject(m.Audio) || strings.TrimSpace(jsonString(m.Refusal)) != ""
}

// contentText returns the text of a content: a string, or the text parts of an array one after the other.
func contentText(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	if raw[0] != '[' {
		return jsonString(raw)
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return ""
	}
	var b strings.Builder
	for _, p := range parts {
		var part struct {
			Type string          `json:"type"`
			Text json.RawMessage `json:"text"`
		}
		if json.Unmarshal(p, &part) == nil && part.Type == "text" {
			b.WriteString(jsonString(part.Text))
		}
	}
	return b.String()
}

// decodeUsage returns nil for a usage that is absent or cannot be read.
func decodeUsage(raw json.RawMessage) *events.Usage {
	var u events.Usage
	if !isObject(raw) || json.Unmarshal(raw, &u) != nil {
		return nil
	}
	if !isObject(u.PromptDetails) {
		u.PromptDetails = nil
	}
	if !isObject(u.CompletionDetails) {
		u.CompletionDetails = nil
	}
	return &u
}

// jsonString returns the value of a JSON string, and "" for anything else.
func jsonString(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// isObject reports whether a value that is known to be JSON is an object with anything in it.
func isObject(raw json.RawMessage) bool {
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
}
