package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"baton.dev/baton/events"
)

// completion is a chat completion as far as it is read. What an answer could do without stays raw, so that an odd usage
// does not cost a paid answer.
type completion struct {
	Choices []choice        `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
}

type choice struct {
	Message      json.RawMessage `json:"message"`
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

// decodeAnswer reads the body of a chat completion. It returns the first choice in which there is something to keep, or else
// the first that is empty by the request's own bounds. Its error is an [*Error] of [events.CodeUnusableOutput] or
// [events.CodeContentRefused], with the usage where there is one.
func decodeAnswer(body []byte) (Answer, error) {
	if !utf8.Valid(body) {
		// A token cut in the middle of a character. Bytes that are not UTF-8 would make the result no JSON; one lost
		// character is no reason to lose a paid answer.
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	var c completion
	if err := json.Unmarshal(body, &c); err != nil {
		// The decoder's words can quote the body.
		return Answer{}, NewError(events.CodeUnusableOutput, errors.New("the body is no chat completion"))
	}
	usage := decodeUsage(c.Usage)
	unusable := func(code, why string) (Answer, error) {
		e := NewError(code, errors.New(why))
		e.Usage = usage
		return Answer{}, e
	}
	if len(c.Choices) == 0 {
		return unusable(events.CodeUnusableOutput, "the completion has no choices")
	}
	var empty *Answer
	filtered := false
	for _, ch := range c.Choices {
		finish := jsonString(ch.FinishReason)
		var m message
		if json.Unmarshal(ch.Message, &m) == nil && isObject(ch.Message) {
			a := Answer{Message: ch.Message, Output: contentText(m.Content), FinishReason: finish, Usage: usage}
			if strings.TrimSpace(a.Output) != "" || m.saysOtherwise() {
				return a, nil
			}
			if empty == nil && a.bounded() {
				empty = &a
			}
		}
		filtered = filtered || finish == "content_filter"
	}
	switch {
	case filtered:
		return unusable(events.CodeContentRefused, "the filter left nothing of the output")
	case empty != nil:
		return *empty, nil
	default:
		return unusable(events.CodeUnusableOutput, "the message is empty")
	}
}

// bounded reports whether an answer without a word ended as the request told it to: at its bound of tokens, which a
// reasoning model can spend on thought alone, or at a stop sequence before the first word. That a model stopped by itself
// says as much only where the server counted tokens; without, it is a server that made none.
//
// OpenAI's own clients take it for an answer. As a failure of the target, one caller's bound would open its breaker for all,
// and be paid for again elsewhere.
func (a *Answer) bounded() bool {
	return a.FinishReason == "length" || a.FinishReason == "stop" && a.Usage != nil && a.Usage.CompletionTokens > 0
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
