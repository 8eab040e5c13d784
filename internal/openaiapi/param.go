package openaiapi

import "strings"

// Param returns how OpenAI names the field at a JSON Pointer into the unified request: /parameters/temperature is temperature,
// and /messages/0/role is messages[0].role. The empty pointer is "".
func Param(e Endpoint, pointer string) string {
	tokens := strings.Split(pointer, "/")[1:]
	if len(tokens) == 0 {
		return ""
	}
	for i, t := range tokens {
		tokens[i] = unescaper.Replace(t)
	}
	switch {
	case tokens[0] == "parameters" && len(tokens) > 1:
		tokens = tokens[1:]
	case tokens[0] == "model_id":
		tokens[0] = "model"
	case tokens[0] == "input" && e == Completions:
		tokens[0] = "prompt"
	case tokens[0] == "prompt": // what a unified request may have in the place of messages
		tokens[0] = "messages"
	}
	var b strings.Builder
	for i, t := range tokens {
		switch {
		case i == 0:
			b.WriteString(t)
		case t != "" && strings.Trim(t, "0123456789") == "":
			b.WriteString("[" + t + "]")
		default:
			b.WriteString("." + t)
		}
	}
	return b.String()
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// Param returns how OpenAI names the field of the request at a JSON Pointer into its unified form.
func (r *Request) Param(pointer string) string {
	param := Param(r.Endpoint, pointer)
	if r.Endpoint != Responses {
		return param
	}
	if name, ok := responseNames[param]; ok {
		return name
	}
	rest, ok := strings.CutPrefix(param, "messages[")
	if !ok {
		return strings.Replace(param, "messages", "input", 1)
	}
	digits, rest, _ := strings.Cut(rest, "]")
	n := 0
	for _, d := range digits {
		n = min(10*n+int(d-'0'), len(r.origins))
	}
	if n >= len(r.origins) {
		return "input"
	}
	return r.origins[n] + rest
}

// responseNames are those fields of a chat completion that a response has under other names.
var responseNames = map[string]string{
	"max_completion_tokens": "max_output_tokens",
	"reasoning_effort":      "reasoning.effort",
	"response_format":       "text.format",
	"verbosity":             "text.verbosity",
}
