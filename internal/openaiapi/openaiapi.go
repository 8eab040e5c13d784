// Package openaiapi converts between OpenAI's HTTP interface and what the chain carries: bodies of requests into unified
// requests, results and their pieces into answers, chunks and events, and what went wrong into errors of OpenAI's shape. It
// does no input or output.
//
// What it was written by is OpenAI's API reference and the types of the official clients. What a model server wrote goes to the
// caller as it was written wherever the two have the same shape, so that a field which this package has never heard of
// arrives all the same.
package openaiapi

import "strings"

// Endpoint is one of OpenAI's endpoints that ask something of a model, by its path.
type Endpoint string

// The endpoints.
const (
	ChatCompletions Endpoint = "/v1/chat/completions"
	Completions     Endpoint = "/v1/completions"
	Embeddings      Endpoint = "/v1/embeddings"
	Responses       Endpoint = "/v1/responses"
)

// idPrefix returns what the ids of an endpoint's answers begin with.
func (e Endpoint) idPrefix() string {
	switch e {
	case Completions:
		return "cmpl-"
	case Responses:
		return "resp_"
	default:
		return "chatcmpl-"
	}
}

// AnswerID returns the id of the endpoint's answer to a request: the message id without its dashes, after what OpenAI's own
// ids begin with.
func (e Endpoint) AnswerID(messageID string) string {
	return e.idPrefix() + strings.ReplaceAll(messageID, "-", "")
}

// MessageID returns the message id that an id of the endpoint's answers stands for, or false for what is no such id.
func (e Endpoint) MessageID(answerID string) (string, bool) {
	digits, ok := strings.CutPrefix(answerID, e.idPrefix())
	if !ok || len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", false
	}
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:], true
}
