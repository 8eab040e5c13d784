package openaiapi

import (
	"fmt"
	"strconv"

	"baton.dev/baton/events"
)

// Answer returns the whole answer to the request, as the endpoint has it, of a result that completed.
func (r *Request) Answer(res events.Result) ([]byte, error) {
	switch r.Endpoint {
	case Responses:
		return r.Echo.Response(res)
	case Embeddings:
		return r.embeddings(res)
	default:
		return r.completion(res)
	}
}

func (r *Request) completion(res events.Result) ([]byte, error) {
	choices, err := finalChoices(r.Endpoint, res)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, len(choices))
	for i, c := range choices {
		all[i] = c.whole(r.Endpoint)
	}
	w := r.head(res.MessageID, res.Timings.AcceptedAt.Unix(), r.Endpoint.object())
	w.raw("choices", array(all))
	w.raw("usage", usage(res.Usage, true))
	return w.done(), nil
}

// object returns the word by which an answer says what it is.
func (e Endpoint) object() string {
	if e == Completions {
		return "text_completion"
	}
	return "chat.completion"
}

// head begins an answer, or a chunk of one.
func (r *Request) head(messageID string, created int64, object string) *builder {
	w := &builder{}
	w.string("id", r.Endpoint.AnswerID(messageID))
	w.string("object", object)
	w.raw("created", strconv.AppendInt(nil, created, 10))
	w.string("model", r.Model)
	return w
}

func (r *Request) embeddings(res events.Result) ([]byte, error) {
	if _, ok := elements(res.Embeddings); !ok {
		return nil, fmt.Errorf("openaiapi: result of %s has no embeddings", res.MessageID)
	}
	var w builder
	w.string("object", "list")
	w.raw("data", res.Embeddings)
	w.string("model", r.Model)
	w.raw("usage", usage(res.Usage, false))
	return w.done(), nil
}

// usage returns a usage as chats have it, and embeddings without what only an output has; nil where there is none.
func usage(u *events.Usage, output bool) []byte {
	if u == nil {
		return nil
	}
	var w builder
	number := func(name string, n int) { w.raw(name, number(n)) }
	number("prompt_tokens", u.PromptTokens)
	if output {
		number("completion_tokens", u.CompletionTokens)
	}
	number("total_tokens", u.TotalTokens)
	w.raw("prompt_tokens_details", u.PromptDetails)
	if output {
		w.raw("completion_tokens_details", u.CompletionDetails)
	}
	return w.done()
}

// choice is one of the choices of a completed answer.
type choice struct {
	raw     []byte // as the server wrote it; nil where it is made from message or text
	index   int
	message []byte // of a chat
	text    string // of a text completion
	finish  []byte // JSON; never nil
	logs    []byte // JSON; never nil
}

// finalChoices returns the choices of a result: those that the server wrote where it has them, and else the one that its
// message or its output says.
func finalChoices(e Endpoint, res events.Result) ([]choice, error) {
	if all, ok := elements(res.Choices); ok && len(all) > 0 {
		choices := make([]choice, len(all))
		for i, raw := range all {
			o, err := decodeObject(raw)
			if err != nil {
				return nil, fmt.Errorf("openaiapi: result of %s: choice %d: %w", res.MessageID, i, err)
			}
			c := choice{raw: raw, index: i, message: o.get("message"), text: o.text("text")}
			c.finish, c.logs = orNull(o.get("finish_reason")), orNull(o.get("logprobs"))
			if n, err := strconv.Atoi(string(o.get("index"))); err == nil {
				c.index = n
			}
			choices[i] = c
		}
		return choices, nil
	}
	c := choice{message: res.Message, text: res.Output, finish: quoted("stop"), logs: null}
	if res.FinishReason != "" {
		c.finish = quoted(res.FinishReason)
	}
	if e == Completions {
		return []choice{c}, nil
	}
	if kindOf(c.message) != '{' {
		var w builder
		w.string("role", "assistant")
		w.string("content", res.Output)
		w.raw("refusal", []byte("null"))
		c.message = w.done()
	}
	return []choice{c}, nil
}

func orNull(raw []byte) []byte {
	if raw == nil {
		return null
	}
	return raw
}

// whole returns the choice as an answer has it that is not a stream.
func (c choice) whole(e Endpoint) []byte {
	if c.raw != nil {
		return c.raw
	}
	var w builder
	if e == Completions {
		w.string("text", c.text)
	}
	w.raw("index", number(c.index))
	if e != Completions {
		w.raw("message", c.message)
	}
	w.raw("logprobs", c.logs)
	w.raw("finish_reason", c.finish)
	return w.done()
}
