package openaiapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/events"
)

// The statuses of a Response.
const (
	statusQueued     = "queued"
	statusInProgress = "in_progress"
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
	statusFailed     = "failed"
	statusCancelled  = "cancelled"
)

// Pending returns the Response of a request that has not ended.
func (e Echo) Pending(messageID, model string, accepted time.Time, st events.Status) []byte {
	status := statusQueued
	if st == events.StatusRunning {
		status = statusInProgress
	}
	return e.json(response{messageID: messageID, model: model, created: accepted, status: status})
}

// Response returns the Response of a request that has ended.
func (e Echo) Response(res events.Result) ([]byte, error) {
	r := ended(res)
	if r.failed == nil {
		items, err := outputItems(res)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			r.output = append(r.output, it.json(itemStatus(r.status)))
		}
	}
	return e.json(r), nil
}

// Deleted returns the answer to a Response's deletion.
func Deleted(messageID string) []byte {
	var w builder
	w.string("id", Responses.AnswerID(messageID))
	w.string("object", "response")
	w.raw("deleted", []byte("true"))
	return w.done()
}

// ended returns a Response without its output.
func ended(res events.Result) response {
	r := response{
		messageID: res.MessageID, model: res.ModelID, created: res.Timings.AcceptedAt, metadata: res.Metadata,
		status: statusCompleted, usage: res.Usage, failed: Failure(res),
	}
	switch {
	case res.Status == events.StatusCanceled:
		r.status = statusCancelled
	case r.failed != nil:
		r.status = statusFailed
	case res.FinishReason == "length":
		r.status, r.incomplete = statusIncomplete, "max_output_tokens"
	case res.FinishReason == "content_filter":
		r.status, r.incomplete = statusIncomplete, "content_filter"
	}
	return r
}

// itemStatus returns the status of an item in a Response of the status.
func itemStatus(status string) string {
	if status == statusIncomplete {
		return statusIncomplete
	}
	return statusCompleted
}

// response is a Response without what it repeats of its request.
type response struct {
	messageID, model string
	created          time.Time
	status           string
	incomplete       string // why; empty: it is not
	failed           *Error
	output           [][]byte
	usage            *events.Usage
	metadata         map[string]string
}

// json returns the Response, with all the fields that the official clients' types require.
func (e Echo) json(r response) []byte {
	var w builder
	again := func(name, otherwise string) {
		if v := e.fields.get(name); v != nil {
			w.raw(name, v)
		} else if otherwise != "" {
			w.raw(name, []byte(otherwise))
		}
	}
	w.string("id", Responses.AnswerID(r.messageID))
	w.string("object", "response")
	w.raw("created_at", strconv.AppendInt(nil, r.created.Unix(), 10))
	w.string("status", r.status)
	again("background", "false")
	w.raw("error", r.errorJSON())
	w.raw("incomplete_details", r.incompleteJSON())
	again("instructions", "null")
	again("max_output_tokens", "null")
	w.string("model", r.model)
	w.raw("output", array(r.output))
	again("parallel_tool_calls", "true")
	w.raw("previous_response_id", null)
	again("prompt_cache_key", "")
	again("reasoning", `{"effort":null,"summary":null}`)
	again("safety_identifier", "")
	again("service_tier", `"default"`)
	again("store", "true")
	again("temperature", "1.0")
	again("text", `{"format":{"type":"text"},"verbosity":"medium"}`)
	again("tool_choice", `"auto"`)
	again("tools", "[]")
	w.raw("top_logprobs", number(0))
	again("top_p", "1.0")
	w.string("truncation", "disabled") // whatever was asked for: an input too long is refused by the model
	w.raw("usage", responseUsage(r.usage))
	again("user", "null")
	if e.fields.get("metadata") == nil && len(r.metadata) > 0 {
		b, _ := json.Marshal(r.metadata) //nolint:errchkjson // strings can always be encoded
		w.raw("metadata", b)
	} else {
		again("metadata", "{}")
	}
	return w.done()
}

// errorJSON returns why the response failed, by the codes that responses have.
func (r response) errorJSON() []byte {
	if r.failed == nil || r.status != statusFailed {
		return null
	}
	code := "server_error"
	switch {
	case r.failed.Code == "rate_limit_exceeded":
		code = r.failed.Code
	case r.failed.Type == typeInvalid:
		code = "invalid_prompt"
	}
	var w builder
	w.string("code", code)
	w.string("message", r.failed.Message)
	return w.done()
}

func (r response) incompleteJSON() []byte {
	if r.incomplete == "" {
		return null
	}
	var w builder
	w.string("reason", r.incomplete)
	return w.done()
}

// responseUsage returns a usage as responses have it.
func responseUsage(u *events.Usage) []byte {
	if u == nil {
		return null
	}
	detail := func(raw json.RawMessage, name string) string {
		if o, err := decodeObject(raw); err == nil {
			if _, err := strconv.Atoi(string(o.get(name))); err == nil {
				return string(o.get(name))
			}
		}
		return "0"
	}
	return fmt.Appendf(nil, `{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%s},`+
		`"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":%s},"total_tokens":%d}`,
		u.PromptTokens, detail(u.PromptDetails, "cached_tokens"),
		u.CompletionTokens, detail(u.CompletionDetails, "reasoning_tokens"), u.TotalTokens)
}

// outputItem is an item of a Response's output: a message with its parts, or a call of a function.
type outputItem struct {
	id    string
	parts []outputPart
	call  *call // nil: it is a message
}

// outputPart is a part of a message: output_text or refusal.
type outputPart struct{ kind, text string }

// itemID returns the id of the i-th item of the output.
func itemID(messageID, prefix string, i int) string {
	return prefix + strings.ReplaceAll(messageID, "-", "") + fmt.Sprintf("%02x", i)
}

// outputItems returns what a completed result says, as items. Of several choices it is the first: a response has one.
func outputItems(res events.Result) ([]outputItem, error) {
	choices, err := finalChoices(ChatCompletions, res)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return a.index - b.index })
	m, err := decodeObject(choices[0].message)
	if err != nil {
		return nil, fmt.Errorf("openaiapi: result of %s: message: %w", res.MessageID, err)
	}
	var parts []outputPart
	content, refusal := contentText(m.get("content")), m.text("refusal")
	calls, _ := elements(m.get("tool_calls"))
	if content != "" || refusal == "" && len(calls) == 0 {
		parts = append(parts, outputPart{"output_text", content})
	}
	if refusal != "" {
		parts = append(parts, outputPart{"refusal", refusal})
	}
	var items []outputItem
	if len(parts) > 0 {
		items = append(items, outputItem{id: itemID(res.MessageID, "msg_", 0), parts: parts})
	}
	for i, raw := range calls {
		c, ok := readCall(raw, i)
		if !ok {
			return nil, fmt.Errorf("openaiapi: result of %s: call %d cannot be read", res.MessageID, i)
		}
		items = append(items, outputItem{id: itemID(res.MessageID, "fc_", len(items)), call: &c})
	}
	return items, nil
}

// json returns the item in the status.
func (it outputItem) json(status string) []byte {
	var w builder
	w.string("id", it.id)
	if it.call != nil {
		w.string("type", "function_call")
		w.string("status", status)
		w.string("arguments", it.call.arguments)
		w.string("call_id", it.call.id)
		w.string("name", it.call.name)
		return w.done()
	}
	parts := make([][]byte, len(it.parts))
	for i, p := range it.parts {
		parts[i] = p.json()
	}
	w.string("type", "message")
	w.string("status", status)
	w.raw("content", array(parts))
	w.string("role", "assistant")
	return w.done()
}

func (p outputPart) json() []byte {
	var w builder
	w.string("type", p.kind)
	if p.kind == "refusal" {
		w.string("refusal", p.text)
		return w.done()
	}
	w.raw("annotations", []byte("[]"))
	w.raw("logprobs", []byte("[]"))
	w.string("text", p.text)
	return w.done()
}
