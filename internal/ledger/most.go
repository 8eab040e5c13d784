package ledger

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

const (
	perRequest = 64      // tokens that a chat template adds of its own: system prompts of common ones take 20 to 40
	perMessage = 16      // and around each message: common ones take 4 to 10
	perMedia   = 4096    // for an image or a recording, whose bytes say little about its tokens
	perFile    = 1 << 17 // for a file that is only named: a model reads no more than its context

	defaultMaxTokens = 4096 // of a target that states none, as the configuration says
)

// Most returns the most that an attempt at the target may cost, rounded up: with a token for each byte of what is sent,
// since a token of BPE is a byte at least, and as many tokens of output as the request, or else the target, allows, for
// each choice that is asked for of each input. It holds for the request that [Bound] returns.
func Most(t *catalog.Target, r events.Request) catalog.Money {
	return cost(t.Price, mostInput(r), mostOutput(t, r))
}

// Bound returns the request with a bound of its output: its own, or the target's MaxTokens as max_tokens where it names
// none. Embeddings have no output to bound. The request that is passed in stays as it is.
func Bound(r events.Request, t *catalog.Target) events.Request {
	if _, named := namedBound(r); named || r.Operation == events.Embeddings {
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
	switch {
	case r.Operation == events.TextCompletion, r.Operation == events.Embeddings:
		// A token that is written as a number takes two bytes at least, with what is between two.
		n += perMessage*inputs(r) + len(r.Input)
	case r.Prompt != nil:
		n += perMessage + len(*r.Prompt)
	default:
		n += mostOfMessages(r.Messages)
	}
	for name, raw := range r.Parameters {
		n += 2 * (len(name) + len(raw)) // tools become input, and templates may indent them
	}
	return bounded(int64(n))
}

// inputs returns how many texts, or lists of tokens, the request's input holds; in doubt, the most.
func inputs(r events.Request) int {
	var list []json.RawMessage
	if json.Unmarshal(r.Input, &list) != nil {
		return 1
	}
	if len(list) > 0 && list[0][0] != '"' && list[0][0] != '[' {
		return 1 // a list of tokens
	}
	return max(len(list), 1)
}

// mostOfMessages counts the bytes of the messages as they are written, which are never less than those of what they say,
// without those of images and recordings, and with those of files that stand elsewhere. Names are read as a model server reads
// them, in their very case: what stands beside them under another is text, and counts.
func mostOfMessages(raw json.RawMessage) int {
	n := len(raw)
	var messages []struct {
		Content jsontext.Value `json:"content"`
	}
	if jsonv2.Unmarshal(raw, &messages) != nil {
		return n // what is odd counts by its bytes, and no model gets it
	}
	for _, m := range messages {
		n += perMessage
		var parts []jsontext.Value
		if m.Content.Kind() != '[' || jsonv2.Unmarshal(m.Content, &parts) != nil {
			continue // a text
		}
		for _, p := range parts {
			n += besides(p)
		}
	}
	return n
}

// besides returns what a part counts for besides its bytes, which may be less than nothing. Of a part with an image or a
// recording only the bytes of that do not count.
func besides(raw jsontext.Value) int {
	var part struct {
		Type  string `json:"type"`
		Image struct {
			URL jsontext.Value `json:"url"`
		} `json:"image_url"`
		Audio struct {
			Data jsontext.Value `json:"data"`
		} `json:"input_audio"`
		File *struct {
			ID   string `json:"file_id"`
			Data string `json:"file_data"`
		} `json:"file"`
	}
	if jsonv2.Unmarshal(raw, &part) != nil {
		return perFile // whatever it may refer to
	}
	n := 0
	switch part.Type {
	case "image_url":
		n += perMedia - len(part.Image.URL)
	case "input_audio":
		n += perMedia - len(part.Audio.Data)
	}
	// Whatever the type, a file is put in the place of its id.
	if f := part.File; f != nil && (f.ID != "" || !strings.HasPrefix(f.Data, "data:")) {
		n += perFile
	}
	return n
}

func mostOutput(t *catalog.Target, r events.Request) int64 {
	if r.Operation == events.Embeddings {
		return 0
	}
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
	if r.Operation == events.TextCompletion {
		choices = min(choices, maxTokens) * int64(inputs(r))
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
