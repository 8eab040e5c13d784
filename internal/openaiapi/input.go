package openaiapi

import "strconv"

// readInput returns the messages of a chat that say what instructions and input say, and writes down where each comes from.
func (r *Request) readInput(o object) ([][]byte, *Error) {
	in := input{request: r}
	if instructions := o.get("instructions"); instructions != nil {
		if kindOf(instructions) != '"' {
			return nil, wrongType("instructions", "a string")
		}
		in.add("instructions", message("system", instructions))
	}
	about := o.get("input")
	items, list := elements(about)
	switch {
	case about == nil:
		return nil, missing("input")
	case kindOf(about) == '"':
		in.add("input", message("user", about))
	case !list:
		return nil, wrongType("input", "a string or an array of items")
	default:
		for i, raw := range items {
			if err := in.item(raw, "input["+strconv.Itoa(i)+"]"); err != nil {
				return nil, err
			}
		}
	}
	in.flush()
	return in.messages, nil
}

// message returns a message of a chat.
func message(role string, content []byte) []byte {
	var w builder
	w.string("role", role)
	w.raw("content", content)
	return w.done()
}

// input is messages in the making. What the assistant said and the tools that it called at once are items of their own in an
// input, and one message in a chat.
type input struct {
	request  *Request
	messages [][]byte

	from  string // of the assistant's message that is not done yet; empty: there is none
	said  *builder
	calls [][]byte
}

func (in *input) add(from string, message []byte) {
	in.flush()
	in.messages = append(in.messages, message)
	in.request.origins = append(in.request.origins, from)
}

// flush ends the assistant's message.
func (in *input) flush() {
	if in.from == "" {
		return
	}
	if len(in.calls) > 0 {
		in.said.raw("tool_calls", array(in.calls))
	}
	in.messages = append(in.messages, in.said.done())
	in.request.origins = append(in.request.origins, in.from)
	in.from, in.said, in.calls = "", nil, nil
}

// assistant begins a message of the assistant.
func (in *input) assistant(from string) *builder {
	in.flush()
	in.from, in.said = from, &builder{}
	in.said.string("role", "assistant")
	return in.said
}

func (in *input) item(raw []byte, at string) *Error {
	o, err := decodeObject(raw)
	if err != nil {
		return wrongType(at, "an object")
	}
	typ := o.text("type")
	switch {
	case typ == "message", typ == "" && o.get("role") != nil:
		return in.message(o, at)
	case typ == "function_call":
		return in.functionCall(o, at)
	case typ == "function_call_output":
		return in.functionOutput(o, at)
	case typ == "reasoning":
		return nil // it is of use to the server alone that wrote it
	case typ == "":
		return missing(at + ".type")
	case typ == "item_reference":
		return unsupported(at+".type", "items are not kept to be referred to; send the item itself.")
	default:
		return unsupported(at+".type", "there are no built-in tools; items are messages, function calls and their outputs.")
	}
}

func (in *input) message(o object, at string) *Error {
	role, raw := o.text("role"), o.get("content")
	if role == "" {
		return missing(at + ".role")
	}
	if raw == nil {
		return missing(at + ".content")
	}
	content, refusal, err := readContent(raw, at+".content")
	if err != nil {
		return err
	}
	if role != "assistant" {
		in.add(at, message(role, content))
		return nil
	}
	w := in.assistant(at)
	w.raw("content", content)
	if content == nil {
		w.raw("content", null)
	}
	if refusal != "" {
		w.string("refusal", refusal)
	}
	return nil
}

func (in *input) functionCall(o object, at string) *Error {
	for _, name := range []string{"call_id", "name", "arguments"} {
		switch kindOf(o.get(name)) {
		case '"':
		case 0:
			return missing(at + "." + name)
		default:
			return wrongType(at+"."+name, "a string")
		}
	}
	if in.from == "" {
		in.assistant(at).raw("content", null)
	}
	var of, w builder
	of.raw("name", o.get("name"))
	of.raw("arguments", o.get("arguments"))
	w.raw("id", o.get("call_id"))
	w.string("type", "function")
	w.raw("function", of.done())
	in.calls = append(in.calls, w.done())
	return nil
}

func (in *input) functionOutput(o object, at string) *Error {
	if kindOf(o.get("call_id")) != '"' {
		return missing(at + ".call_id")
	}
	raw := o.get("output")
	if raw == nil {
		return missing(at + ".output")
	}
	content, _, err := readContent(raw, at+".output")
	if err != nil {
		return err
	}
	var w builder
	w.string("role", "tool")
	w.raw("tool_call_id", o.get("call_id"))
	w.raw("content", content)
	in.add(at, w.done())
	return nil
}

// readContent returns a content as a chat has it: a string as it is, one part of text as a string, and other parts as parts.
// Beside it, it returns the refusal that is among the parts.
func readContent(raw []byte, at string) (content []byte, refusal string, _ *Error) {
	if kindOf(raw) == '"' {
		return raw, "", nil
	}
	all, ok := elements(raw)
	if !ok {
		return nil, "", wrongType(at, "a string or an array of parts")
	}
	var parts [][]byte
	var only []byte
	for i, raw := range all {
		at := at + "[" + strconv.Itoa(i) + "]"
		o, broken := decodeObject(raw)
		if broken != nil {
			return nil, "", wrongType(at, "an object")
		}
		if o.text("type") == "refusal" {
			refusal = o.text("refusal") // there is one
			continue
		}
		part, err := readPart(o, at)
		if err != nil {
			return nil, "", err
		}
		only = nil
		if part.text != nil && len(parts) == 0 {
			only = part.text
		}
		parts = append(parts, part.json)
	}
	switch {
	case only != nil:
		return only, refusal, nil
	case len(parts) == 0 && refusal != "":
		return nil, refusal, nil
	default:
		return array(parts), refusal, nil
	}
}

// part is a part of a content as a chat has it.
type part struct{ json, text []byte } // text: of one that is nothing else

func readPart(o object, at string) (part, *Error) {
	var w builder
	switch typ := o.text("type"); typ {
	case "input_text", "output_text", "text":
		if kindOf(o.get("text")) != '"' {
			return part{}, missing(at + ".text")
		}
		w.string("type", "text")
		w.raw("text", o.get("text"))
		return part{w.done(), o.get("text")}, nil
	case "input_image":
		return readImage(o, at)
	case "input_audio":
		w.string("type", typ)
		w.raw(typ, o.get(typ))
		return part{json: w.done()}, nil
	case "input_file":
		if o.get("file_url") != nil {
			return part{}, unsupported(at+".file_url", "send the file's data, or upload it and name its file_id.")
		}
		w.string("type", "file")
		w.raw("file", withoutType(o))
		return part{json: w.done()}, nil
	case "":
		return part{}, missing(at + ".type")
	default:
		return part{}, invalid(at+".type", "invalid_value",
			"Invalid value for '"+at+".type': expected input_text, input_image, input_audio, input_file, output_text or refusal.")
	}
}

// filePrefix is what stands before the id of an uploaded file in the place of an image's URL.
const filePrefix = "baton-file:"

func readImage(o object, at string) (part, *Error) {
	var of, w builder
	switch id := o.text("file_id"); {
	case o.get("image_url") != nil:
		of.raw("url", o.get("image_url"))
	case id != "":
		of.string("url", filePrefix+id)
	default:
		return part{}, missing(at + ".image_url")
	}
	of.raw("detail", o.get("detail"))
	w.string("type", "image_url")
	w.raw("image_url", of.done())
	return part{json: w.done()}, nil
}
