package simulated

import (
	"encoding/json"
	"fmt"
)

// wish is what is asked of an answer, whatever the endpoint.
type wish struct {
	n        int
	limit    int // tokens of a choice at most; 0: no limit
	stop     []string
	seed     uint64 // the request's own
	call     *function
	format   json.RawMessage // the schema of the text; nil: it is no JSON
	logprobs bool
	top      int // the alternatives of each token
}

// plain reports whether the answer is one choice of words and nothing else.
func (w *wish) plain() bool {
	return w.n == 1 && w.stop == nil && w.call == nil && w.format == nil && !w.logprobs
}

// function is a tool of the caller's.
type function struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
}

// tool is a function as a chat has it, inside, or as a response has it, at the top.
type tool struct {
	Type     string    `json:"type"`
	Function *function `json:"function"`
	function
}

// choose sets which tool is called: the one that the choice names, or else the first, and none after a tool has answered
// unless a call is required.
func (w *wish) choose(tools []tool, choice json.RawMessage, afterTool bool) *fault {
	functions := make([]*function, 0, len(tools))
	for i := range tools {
		f := tools[i].Function
		if f == nil {
			f = &tools[i].function
		}
		switch {
		case tools[i].Type == "":
			return missing(fmt.Sprintf("tools[%d].type", i))
		case tools[i].Type != "function":
			return wrongValue(fmt.Sprintf("tools[%d].type", i), tools[i].Type, "function", "custom")
		case f.Name == "":
			return missing(fmt.Sprintf("tools[%d].function.name", i))
		}
		functions = append(functions, f)
	}
	mode, name, f := readChoice(choice)
	switch {
	case f != nil:
		return f
	case mode == "":
		mode = "auto"
	case len(functions) == 0:
		return bad("Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", "tool_choice", "")
	}
	if len(functions) == 0 || mode == "none" || mode == "auto" && afterTool {
		return nil
	}
	w.call = functions[0]
	if name == "" {
		return nil
	}
	for _, f := range functions {
		if f.Name == name {
			w.call = f
			return nil
		}
	}
	return bad("Invalid value for 'tool_choice': no function named '"+name+"' was specified in the 'tools' parameter.",
		"tool_choice", "")
}

// readChoice returns the mode that a tool_choice sets, and the function that it names.
func readChoice(raw json.RawMessage) (mode, name string, f *fault) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", "", nil
	}
	if json.Unmarshal(raw, &mode) == nil {
		switch mode {
		case "none", "auto", "required":
			return mode, "", nil
		}
		return "", "", wrongValue("tool_choice", mode, "none", "auto", "required")
	}
	var named tool
	if json.Unmarshal(raw, &named) != nil {
		return "", "", wrongType("tool_choice", "one of a string or object", kindOf(raw))
	}
	name = named.Name
	if named.Function != nil {
		name = named.Function.Name
	}
	if name == "" {
		return "", "", missing("tool_choice.function")
	}
	return "named", name, nil
}

// format is how a text is wanted. A chat has the schema inside, a response at the top.
type format struct {
	Type       string        `json:"type"`
	JSONSchema *schemaFormat `json:"json_schema"`
	schemaFormat
}

type schemaFormat struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
}

// anyObject is the schema of JSON mode, which has none.
const anyObject = `{"type":"object","properties":{"answer":{"type":"string"}}}`

// shape sets the format; at is where in the request it stands, within where in it the schema does.
func (w *wish) shape(f *format, at, within string) *fault {
	if f == nil {
		return nil
	}
	switch f.Type {
	case "text":
	case "json_object":
		w.format = json.RawMessage(anyObject)
	case "json_schema":
		s := f.JSONSchema
		if s == nil {
			s = &f.schemaFormat
		}
		switch {
		case s.Name == "":
			return missing(at + within + ".name")
		case len(s.Schema) == 0:
			return missing(at + within + ".schema")
		}
		w.format = s.Schema
	case "":
		return missing(at + ".type")
	default:
		return wrongValue(at+".type", f.Type, "json_object", "json_schema", "text")
	}
	return nil
}

// until sets the stop sequences, which are one string or up to four.
func (w *wish) until(raw json.RawMessage) *fault {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		w.stop = []string{one}
		return nil
	}
	if json.Unmarshal(raw, &w.stop) != nil {
		return wrongType("stop", "one of a string or array of strings", kindOf(raw))
	}
	if n := len(w.stop); n > 4 {
		return bad(fmt.Sprintf("Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with "+
			"length %d instead.", n), "stop", "array_above_max_length")
	}
	return nil
}

// upTo refuses a number below zero or above its bound.
func upTo(name string, value *float64, high float64) *fault {
	switch {
	case value == nil:
	case *value < 0:
		return bad(fmt.Sprintf("Invalid '%s': decimal below minimum value. Expected a value >= 0, but got %v instead.",
			name, *value), name, "decimal_below_min_value")
	case *value > high:
		return bad(fmt.Sprintf("Invalid '%s': decimal above maximum value. Expected a value <= %v, but got %v instead.",
			name, high, *value), name, "decimal_above_max_value")
	}
	return nil
}

// whole returns an integer within its bounds, and 0 if there is none; a high of 0 is no bound.
func whole(name string, value *int, low, high int) (int, *fault) {
	switch {
	case value == nil:
		return 0, nil
	case *value < low:
		return 0, bad(fmt.Sprintf("Invalid '%s': integer below minimum value. Expected a value >= %d, but got %d instead.",
			name, low, *value), name, "integer_below_min_value")
	case high > 0 && *value > high:
		return 0, bad(fmt.Sprintf("Invalid '%s': integer above maximum value. Expected a value <= %d, but got %d instead.",
			name, high, *value), name, "integer_above_max_value")
	}
	return *value, nil
}

// first returns the first of the faults.
func first(faults ...*fault) *fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}
