package ledger

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

const (
	perRequest = 64   // tokens that a chat template adds of its own: system prompts of common ones take 20 to 40
	perMessage = 16   // and around each message: common ones take 4 to 10
	perMedia   = 4096 // for an image or a recording, whose bytes say little about its tokens

	defaultMaxTokens = 4096 // of a target that states none, as the configuration says
)

// Most returns the most that an attempt at the target may cost, rounded up: with a token for each byte of what is sent,
// since a token of BPE is a byte at least, and as many tokens of output as the request, or else the target, allows, for
// each choice that is asked for. It holds for the request that [Bound] returns.
func Most(t *catalog.Target, r events.Request) catalog.Money {
	return cost(t.Price, mostInput(r), mostOutput(t, r))
}

// Bound returns the request with a bound of its output: its own, or the target's MaxTokens as max_tokens where it names
// none. The request that is passed in stays as it is.
func Bound(r events.Request, t *catalog.Target) events.Request {
	if _, named := namedBound(r); named {
		return r
	}
	parameters := make(map[string]json.RawMessage, len(r.Parameters)+1)
	maps.Copy(parameters, r.Parameters)
	parameters["max_tokens"] = strconv.AppendInt(nil, targetBound(t), 10)
	r.Parameters = parameters
	return r
}

func mostInput(r events.Request) int64 {
	n := perRequest
	if r.Prompt != nil {
		n += perMessage + len(*r.Prompt)
	} else {
		n += mostOfMessages(r.Messages)
	}
	for name, raw := range r.Parameters {
		n += 2 * (len(name) + len(raw)) // tools become input, and templates may indent them
	}
	return bounded(int64(n))
}

// mostOfMessages counts the bytes of the messages as they are written, which are never less than those of what they say,
// without those of images and recordings.
func mostOfMessages(raw json.RawMessage) int {
	n := len(raw)
	var messages []struct {
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(raw, &messages) != nil {
		return n
	}
	for _, m := range messages {
		n += perMessage
		var parts []json.RawMessage
		if json.Unmarshal(m.Content, &parts) != nil {
			continue // a text
		}
		for _, p := range parts {
			var part struct {
				Type string `json:"type"`
			}
			if json.Unmarshal(p, &part) == nil && (part.Type == "image_url" || part.Type == "input_audio") {
				n += perMedia - len(p)
			}
		}
	}
	return n
}

func mostOutput(t *catalog.Target, r events.Request) int64 {
	each, named := namedBound(r)
	if !named {
		each = targetBound(t)
	}
	choices := int64(1)
	for _, name := range []string{"n", "best_of"} {
		if n, ok := count(r.Parameters[name]); ok {
			choices = max(choices, n)
		}
	}
	if each > maxTokens/choices {
		return maxTokens
	}
	return each * choices
}

// namedBound returns the bound of output that the request names. Of two the larger counts: which one a server takes is
// its own affair.
func namedBound(r events.Request) (bound int64, named bool) {
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if n, ok := count(r.Parameters[name]); ok {
			bound, named = max(bound, n), true
		}
	}
	return bound, named
}

func targetBound(t *catalog.Target) int64 {
	if t.MaxTokens <= 0 {
		return defaultMaxTokens
	}
	return bounded(int64(t.MaxTokens))
}

// count reads a number of things, in whatever spelling a lenient server would: rounded up, and as a string too. What is no
// number, or not over 0, is none.
func count(raw json.RawMessage) (int64, bool) {
	text := string(raw)
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) != nil {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsInf(f, 1):
		return maxTokens, true
	case err != nil || !(f > 0): // not a number is not over 0
		return 0, false
	default:
		return int64(math.Ceil(min(f, maxTokens))), true
	}
}
