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

// decodeAnswer reads the body of a chat completion. It returns the first choice in which there is something to keep; its
// error is an [*Error] of [events.CodeUnusableOutput] or [events.CodeContentRefused].
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
	if len(c.Choices) == 0 {
		return Answer{}, NewError(events.CodeUnusableOutput, errors.New("the completion has no choices"))
	}
	filtered := false
	for _, ch := range c.Choices {
		finish := jsonString(ch.FinishReason)
		var m message
		if json.Unmarshal(ch.Message, &m) == nil && isObject(ch.Message) {
			output := contentText(m.Content)
			if strings.TrimSpace(output) != "" || m.saysOtherwise() {
				return Answer{Message: ch.Message, Output: output, FinishReason: finish, Usage: decodeUsage(c.Usage)}, nil
			}
		}
		filtered = filtered || finish == "content_filter"
	}
	if filtered {
		return Answer{}, NewError(events.CodeContentRefused, errors.New("the filter left nothing of the output"))
	}
	return Answer{}, NewError(events.CodeUnusableOutput, errors.New("the message is empty"))
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
