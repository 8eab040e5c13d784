package ingest

import (
	"strings"

	"baton.dev/baton/internal/openaiapi"
)

// messageID returns the message id that stands in a path, or what stands there if it is none. It may be written as the ids of
// OpenAI's answers are, which callers of those paths have: with what such ids begin with, or without, and without dashes.
func messageID(given string) string {
	for _, e := range []openaiapi.Endpoint{openaiapi.ChatCompletions, openaiapi.Completions, openaiapi.Responses} {
		if id, ok := e.MessageID(given); ok {
			return id
		}
	}
	if id, ok := openaiapi.Responses.MessageID(openaiapi.Responses.AnswerID(given)); ok && !strings.Contains(given, "-") {
		return id
	}
	return given
}
