package oip

import (
	"bytes"
	"encoding/json"
	"errors"
)

// The JSON documents of the protocol over HTTP, with their members in the order in which its specification writes them. What it
// does not name is skipped.

type inferRequest struct {
	ID         string            `json:"id,omitempty"`
	Parameters document          `json:"parameters,omitempty"`
	Inputs     []requestInput    `json:"inputs"`
	Outputs    []requestedOutput `json:"outputs,omitempty"`
}

type requestInput struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters document        `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

type requestedOutput struct {
	Name       string   `json:"name"`
	Parameters document `json:"parameters,omitempty"`
}

type inferResponse struct {
	ModelName    string           `json:"model_name,omitempty"`
	ModelVersion string           `json:"model_version,omitempty"`
	ID           string           `json:"id,omitempty"`
	Parameters   document         `json:"parameters,omitempty"`
	Outputs      []responseOutput `json:"outputs"`
}

type responseOutput struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters document        `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// document is a JSON object whose members stay in their order.
type document []member

type member struct {
	name  string
	value json.RawMessage
}

// MarshalJSON implements [json.Marshaler].
func (d document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quoted(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

var errNoObject = errors.New("no JSON object")

// UnmarshalJSON implements [json.Unmarshaler].
func (d *document) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	start, err := dec.Token()
	if err != nil || start != json.Delim('{') {
		return errNoObject
	}
	*d = document{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		m := member{name: name.(string)} //nolint:forcetypeassert // the name of a member is a string
		if err := dec.Decode(&m.value); err != nil {
			return err
		}
		*d = append(*d, m)
	}
	return nil
}

// get returns the value of a member, nil if there is none.
func (d document) get(name string) json.RawMessage {
	for _, m := range d {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// encode returns a document without the escapes for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) //nolint:errchkjson // of strings, numbers and what was read as JSON
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// infer returns the request as the document of HTTP's infer.
func (in *inference) infer() []byte {
	r := inferRequest{ID: in.id, Parameters: in.members()}
	for _, i := range in.inputs {
		datatype, _ := contents(i.values)
		r.Inputs = append(r.Inputs, requestInput{Name: i.name, Shape: i.shape, Datatype: datatype, Data: encode(i.values)})
	}
	for _, name := range in.outputs {
		r.Outputs = append(r.Outputs, requestedOutput{Name: name})
	}
	return encode(r)
}

// generate returns the request as the document of Triton's generate extension: each tensor a member, whose first element is its
// value, or all of several.
func (in *inference) generate() []byte {
	d := document{}
	if in.id != "" {
		d = append(d, member{"id", quoted(in.id)})
	}
	for _, i := range in.inputs {
		value := json.RawMessage(encode(i.values))
		var all []json.RawMessage
		if json.Unmarshal(value, &all) == nil && len(all) == 1 {
			value = all[0]
		}
		d = append(d, member{i.name, value})
	}
	if parameters := in.members(); len(parameters) > 0 {
		d = append(d, member{"parameters", encode(parameters)})
	}
	return encode(d)
}

func (in *inference) members() document {
	d := make(document, 0, len(in.parameters))
	for _, p := range in.parameters {
		d = append(d, member{p.name, encode(p.value)})
	}
	return d
}

// decodeInfer returns what a response of infer says, name being the tensor of the output.
func decodeInfer(body []byte, name string) (output, error) {
	out := output{prompt: -1, tokens: -1}
	var r inferResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return out, errNoObject // the decoder's words can quote the body
	}
	for _, t := range r.Outputs {
		out.take(t.Name, first(t.Data), name)
	}
	return out, nil
}

// decodeGenerated returns what a response of generate says, or that it is an error in place of one.
func decodeGenerated(data []byte, name string) (out output, refused bool, err error) {
	out = output{prompt: -1, tokens: -1}
	var d document
	if json.Unmarshal(data, &d) != nil {
		return out, false, errNoObject
	}
	if d.get("error") != nil {
		return out, true, nil
	}
	for _, m := range d {
		out.take(m.name, first(m.value), name)
	}
	return out, false, nil
}

// take takes the first element of a tensor for what it says.
func (o *output) take(tensor string, value json.RawMessage, name string) {
	var text string
	isText := json.Unmarshal(value, &text) == nil
	switch {
	case tensor == name:
		o.has = true
		o.text = []byte(text)
	case tensor == finishReason && isText && text != "None":
		o.finish = text
	case tensor == inputTokens:
		o.prompt = count(string(value))
	case tensor == outputTokens:
		o.tokens = count(string(value))
	}
}

// first returns the first element of a tensor's data, however deep it is nested; nil if there is none.
func first(data json.RawMessage) json.RawMessage {
	for range maxDimensions {
		if len(data) == 0 || data[0] != '[' {
			return data
		}
		var all []json.RawMessage
		if json.Unmarshal(data, &all) != nil || len(all) == 0 {
			return nil
		}
		data = all[0]
	}
	return nil
}

// maxDimensions is more than a tensor of text has.
const maxDimensions = 8
