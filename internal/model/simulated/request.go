package simulated

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// request is a chat completion's as far as the server reads it.
type request struct {
	Model         string          `json:"model"`
	Messages      json.RawMessage `json:"messages"`
	Temperature   *float64        `json:"temperature"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`

	limit        int // the tokens asked for at most; 0: no limit
	promptTokens int
}

type turn struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// decode returns the request, or the refusal that OpenAI's own server would answer.
func decode(body []byte) (request, *fault) {
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
			return req, bad(fmt.Sprintf("Invalid type for '%s': got %s.", e.Field, kind(e.Value)), e.Field, "invalid_type")
		}
		return req, bad("We could not parse the JSON body of your request.", "", "")
	}
	if req.Model == "" {
		return req, bad("you must provide a model parameter", "", "")
	}
	if len(req.Messages) == 0 || string(req.Messages) == "null" {
		return req, missing("messages")
	}
	if f := req.decodeTurns(); f != nil {
		return req, f
	}
	if t := req.Temperature; t != nil && (*t < 0 || *t > 2) {
		return req, bad("Invalid 'temperature': must be between 0 and 2.", "temperature", "decimal_out_of_range")
	}
	if f := req.limitBy("max_tokens", req.MaxTokens); f != nil {
		return req, f
	}
	f := req.limitBy("max_completion_tokens", req.MaxCompletion)
	return req, f
}

func (r *request) limitBy(name string, value *int) *fault {
	if value == nil {
		return nil
	}
	if *value < 1 {
		return bad("Invalid '"+name+"': must be at least 1.", name, "integer_below_min_value")
	}
	r.limit = *value
	return nil
}

func (r *request) decodeTurns() *fault {
	var turns []turn
	if err := json.Unmarshal(r.Messages, &turns); err != nil {
		return bad("Invalid type for 'messages': expected an array of messages.", "messages", "invalid_type")
	}
	if len(turns) == 0 {
		return bad("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages", "empty_array")
	}
	for i, t := range turns {
		switch t.Role {
		case "system", "developer", "user", "assistant", "tool", "function":
		case "":
			return missing(fmt.Sprintf("messages[%d].role", i))
		default:
			param := fmt.Sprintf("messages[%d].role", i)
			return bad("Invalid value for '"+param+"'.", param, "invalid_value")
		}
		if !t.Content.present && t.Role != "assistant" {
			return missing(fmt.Sprintf("messages[%d].content", i))
		}
		r.promptTokens += t.Content.words
	}
	return nil
}

// content counts a message's words without keeping them: a word stands for a token.
type content struct {
	present bool
	words   int
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *content) UnmarshalJSON(raw []byte) error {
	switch {
	case string(raw) == "null":
		return nil
	case raw[0] == '"':
		c.words = countWords(raw[1 : len(raw)-1])
	case raw[0] == '[':
		var parts []struct {
			Type string  `json:"type"`
			Text content `json:"text"`
		}
		if err := json.Unmarshal(raw, &parts); err != nil {
			return err
		}
		for _, p := range parts {
			c.words += p.Text.words
		}
	default:
		return errors.New("content is neither text nor parts")
	}
	c.present = true
	return nil
}

// countWords counts the words in the inside of a JSON string, its escaped white space being white space too.
func countWords(raw []byte) (n int) {
	inWord := false
	for i := 0; i < len(raw); i++ {
		space := raw[i] == ' '
		if raw[i] == '\\' && i+1 < len(raw) {
			i++
			space = strings.IndexByte("ntrfb", raw[i]) >= 0
		}
		if !space && !inWord {
			n++
		}
		inWord = !space
	}
	return n
}

// kind drops the value from what the JSON decoder says about a wrong type: "number 1e999" is a number.
func kind(value string) string {
	k, _, _ := strings.Cut(value, " ")
	return k
}
