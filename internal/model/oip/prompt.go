package oip

import (
	"encoding/json"
	"errors"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// turn is a message as far as it is read.
type turn struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"`
	ToolCalls    json.RawMessage `json:"tool_calls"`
	FunctionCall json.RawMessage `json:"function_call"`
}

// prompt returns the text that goes into the model. Its error is an [*model.Error].
func prompt(r *events.Request) (string, error) {
	switch r.Operation {
	case "", events.Chat:
	case events.TextCompletion:
		return completed(r.Input)
	default:
		return "", unsupported("it does no " + r.Operation)
	}
	if r.Prompt != nil {
		return *r.Prompt, nil
	}
	var turns []turn
	if json.Unmarshal(r.Messages, &turns) != nil || len(turns) == 0 {
		return "", model.NewError(events.CodeInvalidRequest, errors.New("the messages cannot be read"))
	}
	var b strings.Builder
	for _, t := range turns {
		text, err := t.text()
		if err != nil {
			return "", err
		}
		if len(turns) == 1 {
			return text, nil
		}
		b.WriteString(t.Role)
		b.WriteString(": ")
		b.WriteString(text)
		b.WriteByte('\n')
	}
	b.WriteString("assistant:")
	return b.String(), nil
}

// completed returns the text of a text completion's input: a string, or a list of one.
func completed(input json.RawMessage) (string, error) {
	var one string
	if json.Unmarshal(input, &one) == nil {
		return one, nil
	}
	var list []string
	if json.Unmarshal(input, &list) == nil && len(list) == 1 {
		return list[0], nil
	}
	return "", unsupported("it takes one text")
}

func (t *turn) text() (string, error) {
	if said(t.ToolCalls) || said(t.FunctionCall) {
		return "", unsupported("it calls no tools")
	}
	var text string
	if json.Unmarshal(t.Content, &text) == nil { // null is no text
		return text, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(t.Content, &parts) != nil {
		return "", model.NewError(events.CodeInvalidRequest, errors.New("a message's content cannot be read"))
	}
	var b strings.Builder
	for _, p := range parts {
		if p.Type != "text" {
			return "", unsupported("it takes text only")
		}
		b.WriteString(p.Text)
	}
	return b.String(), nil
}

// said reports whether a value is there and says something.
func said(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "[]", "{}", "false", "0", `""`:
		return false
	default:
		return true
	}
}

// unsupported returns the error of a request that the target cannot answer, whatever its model is.
func unsupported(why string) *model.Error {
	e := model.NewError(events.CodeUnsupported, errors.New(why))
	e.Message = "The model cannot do what is asked: " + why + "."
	return e
}
