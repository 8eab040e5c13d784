package simulated

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// completionTokens is how long a text completion is at most where the request does not say: OpenAI's own default.
const completionTokens = 16

// completionRequest is a text completion's as far as the server reads it.
type completionRequest struct {
	Model         string          `json:"model"`
	Prompt        json.RawMessage `json:"prompt"`
	Temperature   *float64        `json:"temperature"`
	TopP          *float64        `json:"top_p"`
	MaxTokens     *int            `json:"max_tokens"`
	N             *int            `json:"n"`
	Stop          json.RawMessage `json:"stop"`
	Seed          *int64          `json:"seed"`
	Echo          bool            `json:"echo"`
	Logprobs      *int            `json:"logprobs"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

// input is one of the texts that a request is about.
type input struct {
	text   string
	tokens int
}

// inputs reads a text, texts, tokens, or lists of tokens. Tokens are texts of their numbers.
func inputs(raw json.RawMessage, name string) ([]input, *fault) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, missing(name)
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []input{textInput(one)}, nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil {
		all := make([]input, len(texts))
		for i, t := range texts {
			all[i] = textInput(t)
		}
		return all, some(len(all), name)
	}
	var tokens []int
	if json.Unmarshal(raw, &tokens) == nil {
		return []input{{fmt.Sprint(tokens), len(tokens)}}, nil
	}
	var lists [][]int
	if json.Unmarshal(raw, &lists) == nil {
		all := make([]input, len(lists))
		for i, l := range lists {
			all[i] = input{fmt.Sprint(l), len(l)}
		}
		return all, some(len(all), name)
	}
	return nil, wrongType(name, "one of a string, array of strings, array of integers, or array of integer arrays", kindOf(raw))
}

func textInput(s string) input { return input{s, countWords([]byte(s))} }

func some(n int, name string) *fault {
	if n > 0 {
		return nil
	}
	return bad("Invalid '"+name+"': empty array. Expected an array with minimum length 1, but got an empty array instead.",
		name, "empty_array")
}

type textChoice struct {
	Text     string        `json:"text"`
	Index    int           `json:"index"`
	Logprobs *textLogprobs `json:"logprobs"`
	Finish   *string       `json:"finish_reason"`
}

type textLogprobs struct {
	Tokens  []string             `json:"tokens"`
	Values  []float64            `json:"token_logprobs"`
	Top     []map[string]float64 `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"`
}

type textCompletion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []textChoice `json:"choices"`
	Usage   *usage       `json:"usage,omitempty"`
}

// complete answers a text completion.
func (s *Server) complete(w http.ResponseWriter, r *http.Request) {
	var req completionRequest
	if f := take(r, &req); f != nil {
		f.write(w)
		return
	}
	prompts, wish, f := req.read()
	if f != nil {
		f.write(w)
		return
	}
	b, t, f := s.turn(req.Model)
	if f != nil {
		f.write(w)
		return
	}
	out := textCompletion{
		ID: "cmpl-" + strconv.FormatUint(t.number, 10), Object: "text_completion", Created: s.now().Unix(), Model: req.Model,
	}
	u := usage{}
	var all []choice
	for _, p := range prompts {
		choices := b.choices(xxhash.Sum64String(p.text), wish)
		for i := range choices {
			if req.Echo {
				choices[i].tokens = append([]string{p.text}, choices[i].tokens...)
				u.Completion--
			}
			u.Completion += choices[i].count()
		}
		u.Prompt += p.tokens
		all = append(all, choices...)
	}
	u.Total = u.Prompt + u.Completion
	if req.Stream {
		s.streamText(w, r, t, out, all, u, req)
		return
	}
	if s.wait(r.Context(), t.took) != nil {
		unavailable("The server is shutting down.", "shutting_down").write(w)
		return
	}
	out.Usage = &u
	for i := range all {
		c := &all[i]
		out.Choices = append(out.Choices, textChoice{Text: c.text(), Index: i, Logprobs: c.legacy(req.Logprobs), Finish: &c.finish})
	}
	write(w, out)
}

func (r *completionRequest) read() ([]input, wish, *fault) {
	w := wish{n: 1, limit: completionTokens}
	if r.Seed != nil {
		w.seed = uint64(*r.Seed)
	}
	if r.Model == "" {
		return nil, w, bad("you must provide a model parameter", "", "")
	}
	prompts, f1 := inputs(r.Prompt, "prompt")
	n, f2 := whole("n", r.N, 1, 128)
	w.n = max(n, 1)
	limit, f3 := whole("max_tokens", r.MaxTokens, 1, 0)
	if limit > 0 {
		w.limit = limit
	}
	_, f4 := whole("logprobs", r.Logprobs, 0, 5)
	return prompts, w, first(f1, upTo("temperature", r.Temperature, 2), upTo("top_p", r.TopP, 1), f2, f3, f4,
		w.until(r.Stop))
}

// legacy returns the log probabilities as a text completion has them: none where the request asks for none.
func (c *choice) legacy(top *int) *textLogprobs {
	if top == nil {
		return nil
	}
	l := &textLogprobs{}
	offset := 0
	for _, p := range c.logprobs(0, len(c.tokens), *top) {
		alternatives := map[string]float64{}
		for _, a := range p.Top {
			alternatives[a.Token] = a.Logprob
		}
		l.Tokens = append(l.Tokens, p.Token)
		l.Values = append(l.Values, p.Logprob)
		l.Top = append(l.Top, alternatives)
		l.Offsets = append(l.Offsets, offset)
		offset += len(p.Token)
	}
	return l
}

// streamText writes the choices as chunks of the whole, and at the end [DONE].
func (s *Server) streamText(
	w http.ResponseWriter, r *http.Request, t turn, out textCompletion, all []choice, u usage, req completionRequest,
) {
	longest := 1
	for i := range all {
		longest = max(longest, len(all[i].tokens))
	}
	f := s.flow(r.Context(), w, t.took, longest)
	chunk := func(c textChoice) {
		out.Choices = []textChoice{c}
		f.data(encode(out))
	}
	for n := range longest {
		if f.next() != nil {
			return
		}
		for i := range all {
			if n < len(all[i].tokens) {
				chunk(textChoice{Text: all[i].tokens[n], Index: i})
			}
		}
	}
	for i := range all {
		chunk(textChoice{Index: i, Finish: &all[i].finish})
	}
	if req.StreamOptions.IncludeUsage {
		out.Choices, out.Usage = []textChoice{}, &u
		f.data(encode(out))
	}
	f.data([]byte("[DONE]"))
	f.end()
}
