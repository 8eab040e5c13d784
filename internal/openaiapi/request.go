package openaiapi

import "baton.dev/baton/events"

// Request is a request to one of the endpoints, read.
type Request struct {
	Endpoint Endpoint
	Model    string
	// Unified is the request in the unified schema, which it is yet to be held against. The same body makes the same bytes.
	Unified []byte

	Stream       bool // the answer is wanted as server-sent events
	IncludeUsage bool // with a chunk at the end that says the usage
	Background   bool // of [Responses]: the caller comes back for the answer
	Echo         Echo // of [Responses]: what the answer repeats of the request

	origins []string // of [Responses]: where each message of the unified request comes from, such as input[2]
}

// Read reads the body of a request to the endpoint. It checks what only OpenAI's shape says; whatever a unified request must
// be, the schema is for.
func Read(e Endpoint, body []byte) (*Request, *Error) {
	o, err := readObject(body)
	if err != nil {
		return nil, err
	}
	r := &Request{Endpoint: e, Model: o.text("model")}
	if o.get("model") == nil {
		return nil, invalid("", "", "you must provide a model parameter")
	}
	if kindOf(o.get("model")) != '"' {
		return nil, wrongType("model", "a string")
	}
	if err := r.readStream(o); err != nil {
		return nil, err
	}
	read := r.readCompletion
	if e == Responses {
		read = r.readResponse
	}
	if err := read(o); err != nil {
		return nil, err
	}
	return r, nil
}

// readStream reads how the answer is to come.
func (r *Request) readStream(o object) *Error {
	var err *Error
	if r.Stream, err = boolean(o, "stream"); err != nil {
		return err
	}
	options := o.get("stream_options")
	if options == nil {
		return nil
	}
	given, broken := decodeObject(options)
	switch {
	case broken != nil:
		return wrongType("stream_options", "an object")
	case !r.Stream:
		return invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	r.IncludeUsage, err = boolean(given, "include_usage")
	if err != nil {
		err.Param = "stream_options." + err.Param
	}
	return err
}

// boolean returns the member that is true or false, false where there is none.
func boolean(o object, name string) (bool, *Error) {
	switch string(o.get(name)) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, wrongType(name, "true or false")
	}
}

// operation is how the unified request says what a completion or an embedding asks for.
type operation struct {
	name  string // empty: chat
	from  string // the field that it is about
	field string // the same in the unified request
}

func (e Endpoint) operation() operation {
	switch e {
	case Completions:
		return operation{events.TextCompletion, "prompt", "input"}
	case Embeddings:
		return operation{events.Embeddings, "input", "input"}
	default:
		return operation{"", "messages", "messages"}
	}
}

// readCompletion makes the unified request of one that has the same fields under other names. What this package does not know
// is a parameter, as it came; what is null is left out.
func (r *Request) readCompletion(o object) *Error {
	op := r.Endpoint.operation()
	about := o.get(op.from)
	if about == nil {
		return missing(op.from)
	}
	if r.Endpoint == Embeddings && r.Stream {
		return invalid("stream", "unknown_parameter", "Unknown parameter: 'stream'.")
	}
	var parameters builder
	for _, m := range o {
		switch {
		case string(m.value) == "null", m.name == "model", m.name == op.from,
			m.name == "stream", m.name == "stream_options", m.name == "metadata":
		case m.name == "messages": // beside a prompt or an input; a parameter of the name would take their place
			return invalid(m.name, "unknown_parameter", "Unknown parameter: 'messages'.")
		default:
			parameters.raw(m.name, m.value)
		}
	}
	r.Unified = r.unified(op, about, parameters, o.get("metadata"))
	return nil
}

func (r *Request) unified(op operation, about []byte, parameters builder, metadata []byte) []byte {
	var w builder
	w.string("model_id", r.Model)
	if op.name != "" {
		w.string("operation", op.name)
	}
	w.raw(op.field, about)
	if len(parameters.b) > 0 {
		w.raw("parameters", parameters.done())
	}
	if r.Stream {
		w.raw("stream", []byte("true"))
	}
	w.raw("metadata", metadata)
	return w.done()
}
