package openaiapi

import "strconv"

// refusedFields are those fields of a request for a Response that stand for what a chain without memory does not have.
var refusedFields = []struct{ name, why string }{
	{"previous_response_id", "responses are not kept to be continued; send the whole conversation as input."},
	{"conversation", "conversations are not kept; send the whole conversation as input."},
	{"prompt", "prompt templates are not kept; send instructions and input."},
}

// readResponse makes the unified request, which is a chat, of a request for a Response.
func (r *Request) readResponse(o object) *Error {
	for _, f := range refusedFields {
		if o.get(f.name) != nil {
			return unsupported(f.name, f.why)
		}
	}
	var err *Error
	if r.Background, err = boolean(o, "background"); err != nil {
		return err
	}
	switch _, err := boolean(o, "store"); {
	case err != nil:
		return err
	case r.Background && !echoOf(o).Stored():
		return invalid("store", "invalid_value",
			"Invalid value for 'store': a response of the background is stored until it is asked for.")
	}
	messages, err := r.readInput(o)
	if err != nil {
		return err
	}
	var parameters builder
	for _, m := range o {
		if string(m.value) == "null" {
			continue
		}
		if err := askParameter(&parameters, m); err != nil {
			return err
		}
	}
	r.Echo = echoOf(o)
	r.Unified = r.unified(operation{field: "messages"}, array(messages), parameters, o.get("metadata"))
	return nil
}

// askParameter adds what the field says to the parameters of a chat. A field that is not known is one, as it came.
func askParameter(parameters *builder, m member) *Error {
	switch m.name {
	case "model", "input", "instructions", "stream", "stream_options", "background", "metadata":
		return nil // they are read elsewhere
	case "store", "truncation", "max_tool_calls":
		return nil // they say how OpenAI keeps a response, cuts its input and runs its own tools
	case "messages":
		return invalid(m.name, "unknown_parameter", "Unknown parameter: 'messages'.")
	case "include":
		return askInclude(m.value)
	case "top_logprobs":
		if string(m.value) != "0" {
			return unsupported(m.name, "a response has no log probabilities; chat completions have them.")
		}
		return nil
	case "max_output_tokens":
		if n, err := strconv.ParseInt(string(m.value), 10, 64); err != nil || n < 1 {
			return invalid(m.name, "integer_below_min_value", "Invalid 'max_output_tokens': expected an integer of at least 1.")
		}
		parameters.raw("max_completion_tokens", m.value)
		return nil
	case "reasoning":
		return askReasoning(parameters, m.value)
	case "text":
		return askText(parameters, m.value)
	case "tools":
		return askTools(parameters, m.value)
	case "tool_choice":
		return askToolChoice(parameters, m.value)
	default:
		parameters.raw(m.name, m.value)
		return nil
	}
}

// askInclude refuses what of an answer cannot be included. What is about OpenAI's own tools, or passes reasoning on between
// responses, is included where there is any: never.
func askInclude(value []byte) *Error {
	all, ok := elements(value)
	if !ok {
		return wrongType("include", "an array")
	}
	for _, v := range all {
		if text(v) == "message.output_text.logprobs" {
			return unsupported("include", "a response has no log probabilities; chat completions have them.")
		}
	}
	return nil
}

func askReasoning(parameters *builder, value []byte) *Error {
	o, err := decodeObject(value)
	if err != nil {
		return wrongType("reasoning", "an object")
	}
	parameters.raw("reasoning_effort", o.get("effort")) // a summary is OpenAI's to make
	return nil
}

func askText(parameters *builder, value []byte) *Error {
	o, err := decodeObject(value)
	if err != nil {
		return wrongType("text", "an object")
	}
	parameters.raw("verbosity", o.get("verbosity"))
	raw := o.get("format")
	if raw == nil {
		return nil
	}
	format, err := decodeObject(raw)
	if err != nil {
		return wrongType("text.format", "an object")
	}
	switch format.text("type") {
	case "text":
	case "json_object":
		parameters.raw("response_format", []byte(`{"type":"json_object"}`))
	case "json_schema":
		var w builder
		w.string("type", "json_schema")
		w.raw("json_schema", withoutType(format))
		parameters.raw("response_format", w.done())
	default:
		return invalid("text.format.type", "invalid_value",
			"Invalid value for 'text.format.type': expected text, json_object or json_schema.")
	}
	return nil
}

// withoutType returns the object without its type and without members that are null.
func withoutType(o object) []byte {
	var w builder
	for _, m := range o {
		if m.name != "type" && string(m.value) != "null" {
			w.raw(m.name, m.value)
		}
	}
	return w.done()
}

// askTools makes tools of a chat of those of a response, in which a function is not an object of its own.
func askTools(parameters *builder, value []byte) *Error {
	all, ok := elements(value)
	if !ok {
		return wrongType("tools", "an array")
	}
	if len(all) == 0 {
		return nil
	}
	tools := make([][]byte, len(all))
	for i, raw := range all {
		at := "tools[" + strconv.Itoa(i) + "]"
		o, err := decodeObject(raw)
		if err != nil {
			return wrongType(at, "an object")
		}
		if o.text("type") != "function" {
			return unsupported(at+".type", "only functions can be tools here; there are no built-in tools.")
		}
		var w builder
		w.string("type", "function")
		w.raw("function", withoutType(o))
		tools[i] = w.done()
	}
	parameters.raw("tools", array(tools))
	return nil
}

func askToolChoice(parameters *builder, value []byte) *Error {
	if kindOf(value) == '"' {
		parameters.raw("tool_choice", value)
		return nil
	}
	o, err := decodeObject(value)
	if err != nil {
		return wrongType("tool_choice", "a string or an object")
	}
	if o.text("type") != "function" {
		return unsupported("tool_choice.type", "only a function can be chosen here; there are no built-in tools.")
	}
	var w builder
	w.string("type", "function")
	w.raw("function", withoutType(o))
	parameters.raw("tool_choice", w.done())
	return nil
}
