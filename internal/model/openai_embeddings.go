package model

import (
	"encoding/json"

	"baton.dev/baton/events"
)

// embeddings returns the vectors, or the code and the cause for which they are no answer: there must be one for each input.
func (c completion) embeddings(r events.Request) (_ Answer, code, why string) {
	var data []struct {
		Embedding json.RawMessage `json:"embedding"`
	}
	if json.Unmarshal(c.Data, &data) != nil || len(data) == 0 {
		return Answer{}, events.CodeUnusableOutput, "there are no embeddings"
	}
	if len(data) != inputs(r.Input) {
		return Answer{}, events.CodeUnusableOutput, "there are not as many embeddings as inputs"
	}
	for _, d := range data {
		// A list of numbers, or their bytes in base64.
		if len(d.Embedding) < len(`[0]`) || d.Embedding[0] != '[' && d.Embedding[0] != '"' {
			return Answer{}, events.CodeUnusableOutput, "an embedding is empty"
		}
	}
	return Answer{Embeddings: c.Data}, "", ""
}

// inputs returns how many things an input is about: texts or lists of tokens, where one alone need not stand in a list.
func inputs(input json.RawMessage) int {
	var list []json.RawMessage
	if json.Unmarshal(input, &list) != nil || len(list) == 0 || list[0][0] != '"' && list[0][0] != '[' {
		return 1
	}
	return len(list)
}
