package simulated

import (
	"encoding/json"
	"fmt"
)

// responseRequest is a response's as far as the server reads it.
type responseRequest struct {
	Model             string            `json:"model"`
	Input             json.RawMessage   `json:"input"`
	Instructions      *string           `json:"instructions"`
	Stream            bool              `json:"stream"`
	Background        bool              `json:"background"`
	Store             *bool             `json:"store"`
	Tools             json.RawMessage   `json:"tools"`
	ToolChoice        json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	Text              json.RawMessage   `json:"text"`
	Reasoning         json.RawMessage   `json:"reasoning"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Temperature       *float64          `json:"temperature"`
	TopP              *float64          `json:"top_p"`
	TopLogprobs       *int              `json:"top_logprobs"`
	Include           []string          `json:"include"`
	PreviousID        *string           `json:"previous_response_id"`
	Truncation        *string           `json:"truncation"`
	User              *string           `json:"user"`
	Metadata          map[string]string `json:"metadata"`
}

// inputItem is a message, the call of a function, or its output.
type inputItem struct {
	Type      string  `json:"type"`
	Role      string  `json:"role"`
	Content   content `json:"content"`
	Name      string  `json:"name"`
	Arguments string  `json:"arguments"`
	Output    content `json:"output"`
}

// readResponse adds what the request says to the prompt, and returns what is asked of the answer.
func (s *Server) readResponse(r *responseRequest, p *prompt) (wish, *fault) {
	w := wish{n: 1}
	if r.Model == "" {
		return w, missing("model")
	}
	if r.Instructions != nil {
		var c content
		_ = c.UnmarshalJSON(encode(*r.Instructions)) // a text is a content
		if f := p.says("system", c, responseDialect, "instructions"); f != nil {
			return w, f
		}
		p.records = nil // those of one response are not for the next
	}
	if r.PreviousID != nil {
		before, ok := s.kept.response(*r.PreviousID)
		if !ok {
			return w, &fault{
				404, "Previous response with id '" + *r.PreviousID + "' not found.", "previous_response_id",
				"previous_response_not_found",
			}
		}
		for _, sum := range before.said {
			p.record(sum)
		}
		p.tokens += before.counted.Total
	}
	if f := r.readInput(p); f != nil {
		return w, f
	}
	var tools []tool
	if len(r.Tools) > 0 && json.Unmarshal(r.Tools, &tools) != nil {
		return w, wrongType("tools", "an array of objects", kindOf(r.Tools))
	}
	var text struct {
		Format *format `json:"format"`
	}
	if len(r.Text) > 0 && json.Unmarshal(r.Text, &text) != nil {
		return w, wrongType("text", "an object", kindOf(r.Text))
	}
	var f1, f2 *fault
	w.limit, f1 = whole("max_output_tokens", r.MaxOutputTokens, 1, 0)
	w.top, f2 = whole("top_logprobs", r.TopLogprobs, 0, 20)
	for _, what := range r.Include {
		w.logprobs = w.logprobs || what == "message.output_text.logprobs"
	}
	return w, first(f1, f2, upTo("temperature", r.Temperature, 2), upTo("top_p", r.TopP, 1),
		w.choose(tools, r.ToolChoice, p.afterTool), w.shape(text.Format, "text.format", ""))
}

func (r *responseRequest) readInput(p *prompt) *fault {
	if len(r.Input) == 0 || string(r.Input) == "null" {
		return missing("input")
	}
	if r.Input[0] == '"' {
		var c content
		if err := c.UnmarshalJSON(r.Input); err != nil {
			return wrongType("input", "one of a string or array of input items", "a string that is none")
		}
		return p.says("user", c, responseDialect, "input")
	}
	var items []inputItem
	if json.Unmarshal(r.Input, &items) != nil {
		return wrongType("input", "one of a string or array of input items", kindOf(r.Input))
	}
	if f := some(len(items), "input"); f != nil {
		return f
	}
	for i, item := range items {
		if f := item.read(p, fmt.Sprintf("input[%d]", i)); f != nil {
			return f
		}
	}
	return nil
}

// read adds an item to the prompt.
func (item *inputItem) read(p *prompt, at string) *fault {
	switch item.Type {
	case "", "message":
		switch {
		case item.Role == "":
			return missing(at + ".role")
		case speaker(item.Role) == 0 || speaker(item.Role) == 4:
			return wrongValue(at+".role", item.Role, "assistant", "system", "developer", "user")
		case !item.Content.present() && item.Content.wrong == "":
			return missing(at + ".content")
		}
		return p.says(item.Role, item.Content, responseDialect, at+".content")
	case "function_call":
		if item.Name == "" {
			return missing(at + ".name")
		}
		p.calls(item.Name, item.Arguments)
	case "function_call_output":
		if !item.Output.present() && item.Output.wrong == "" {
			return missing(at + ".output")
		}
		return p.says("tool", item.Output, responseDialect, at+".output")
	case "reasoning":
	default:
		return wrongValue(at+".type", item.Type, "message", "function_call", "function_call_output", "reasoning")
	}
	return nil
}

// response returns what a response repeats of its request.
func (r *responseRequest) response() *response {
	resp := &response{
		Object: "response", Status: inProgress, Background: r.Background, Instructions: r.Instructions,
		MaxOutputTokens: r.MaxOutputTokens, Model: r.Model, Output: []outputItem{}, ParallelToolCalls: true, PreviousID: r.PreviousID,
		Reasoning: json.RawMessage(`{"effort":null,"summary":null}`), ServiceTier: "default", Store: true, Temperature: 1, TopP: 1,
		Text: json.RawMessage(`{"format":{"type":"text"},"verbosity":"medium"}`), ToolChoice: json.RawMessage(`"auto"`),
		Tools: json.RawMessage(`[]`), Truncation: "disabled", User: r.User, Metadata: map[string]string{},
	}
	given(&resp.ParallelToolCalls, r.ParallelToolCalls)
	given(&resp.Store, r.Store)
	given(&resp.Temperature, r.Temperature)
	given(&resp.TopP, r.TopP)
	given(&resp.TopLogprobs, r.TopLogprobs)
	given(&resp.Truncation, r.Truncation)
	if r.Metadata != nil {
		resp.Metadata = r.Metadata
	}
	for to, raw := range map[*json.RawMessage]json.RawMessage{
		&resp.Reasoning: r.Reasoning, &resp.Text: r.Text, &resp.ToolChoice: r.ToolChoice, &resp.Tools: r.Tools,
	} {
		if len(raw) > 0 && string(raw) != "null" {
			*to = raw
		}
	}
	return resp
}

func given[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}
