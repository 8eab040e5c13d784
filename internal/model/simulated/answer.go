package simulated

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// choice is one of the answers to a prompt.
type choice struct {
	tokens []string // of its text, or of the arguments of its call
	call   *function
	finish string
}

// text returns the tokens in one piece.
func (c *choice) text() string { return strings.Join(c.tokens, "") }

// count returns how many tokens the choice counts for: the name of a function is one.
func (c *choice) count() int {
	if c.call != nil {
		return len(c.tokens) + 1
	}
	return len(c.tokens)
}

// drawOf returns what decides the words of choice i.
func (b behaviour) drawOf(p uint64, w wish, i int) draw {
	if w.seed != 0 {
		p = fold(p, w.seed)
	}
	if i > 0 {
		p = fold(p, uint64(i))
	}
	return newDraw(b.seed, p)
}

// choices answers a prompt.
func (b behaviour) choices(prompt uint64, w wish) []choice {
	all := make([]choice, w.n)
	for i := range all {
		all[i] = b.choice(b.drawOf(prompt, w, i), w)
	}
	return all
}

func (b behaviour) choice(d draw, w wish) choice {
	c := choice{finish: "stop"}
	switch {
	case w.call != nil:
		c.call, c.finish = w.call, "tool_calls"
		c.tokens = pieces("{}")
		if len(w.call.Parameters) > 0 {
			c.tokens = pieces(instance(&d, w.call.Parameters))
		}
		return c
	case w.format != nil:
		c.tokens = pieces(instance(&d, w.format))
	default:
		c.tokens = make([]string, b.tokens)
		for i := range c.tokens {
			c.tokens[i] = vocabulary[d.index(len(vocabulary))]
			if i > 0 {
				c.tokens[i] = " " + c.tokens[i]
			}
		}
	}
	if w.limit > 0 && w.limit < len(c.tokens) {
		c.tokens, c.finish = c.tokens[:w.limit], "length"
	}
	c.cut(w.stop)
	return c
}

// cut ends the text before the first stop sequence in it.
func (c *choice) cut(stop []string) {
	text := c.text()
	end := len(text)
	for _, s := range stop {
		if i := strings.Index(text[:end], s); i >= 0 && s != "" {
			end, c.finish = i, "stop"
		}
	}
	for i, t := range c.tokens {
		if end < len(t) {
			c.tokens[i] = t[:end]
			c.tokens = c.tokens[:i+1]
			if end == 0 {
				c.tokens = c.tokens[:i]
			}
			return
		}
		end -= len(t)
	}
}

// pieces splits a text into tokens of about four bytes, which is what OpenAI's have on average.
func pieces(text string) (tokens []string) {
	for text != "" {
		n := min(4, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		tokens = append(tokens, text[:n])
		text = text[n:]
	}
	return tokens
}

// logprob is how likely a token was, as OpenAI shapes it.
type logprob struct {
	Token   string  `json:"token"`
	Logprob float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

type tokenLogprob struct {
	logprob
	Top []logprob `json:"top_logprobs"`
}

// logprobs returns those of the choice's tokens from one to another, each with so many alternatives: itself the first.
func (c *choice) logprobs(from, to, top int) []tokenLogprob {
	all := make([]tokenLogprob, 0, to-from)
	for i := from; i < to; i++ {
		d := newDraw(uint64(i), xxhash.Sum64String(c.tokens[i]))
		p := tokenLogprob{logprob: likely(c.tokens[i], -d.uniform()), Top: []logprob{}}
		for j := range top {
			if j == 0 {
				p.Top = append(p.Top, p.logprob)
				continue
			}
			p.Top = append(p.Top, likely(" "+vocabulary[d.index(len(vocabulary))], p.Logprob-float64(j)))
		}
		all = append(all, p)
	}
	return all
}

func likely(token string, p float64) logprob {
	l := logprob{Token: token, Logprob: p, Bytes: make([]int, len(token))}
	for i := range len(token) {
		l.Bytes[i] = int(token[i])
	}
	return l
}

// usage counts tokens as a chat has them.
type usage struct {
	Prompt     int      `json:"prompt_tokens"`
	Completion int      `json:"completion_tokens"`
	Total      int      `json:"total_tokens"`
	Details    *details `json:"prompt_tokens_details,omitempty"`
}

type details struct {
	Cached int `json:"cached_tokens"`
	Audio  int `json:"audio_tokens"`
}

func (p *prompt) usage(all []choice) usage {
	u := usage{Prompt: p.tokens}
	for i := range all {
		u.Completion += all[i].count()
	}
	u.Total = u.Prompt + u.Completion
	if p.audio > 0 {
		u.Details = &details{Audio: p.audio}
	}
	return u
}

// callID is the id of the call that choice i of an answer makes.
func callID(number uint64, i int) string { return fmt.Sprintf("call_%d_%d", number, i) }

// vocabulary is what answers are made of: words that are JSON as they stand.
var vocabulary = [...]string{
	"the", "a", "of", "and", "to", "in", "is", "it", "that", "for", "with", "as", "on", "by", "at", "from",
	"water", "light", "stone", "river", "mountain", "forest", "wind", "cloud", "rain", "snow", "field", "harbour", "bridge",
	"road", "tower", "garden", "reads", "writes", "carries", "holds", "turns", "follows", "answers", "waits", "moves",
	"grows", "rests", "begins", "ends", "returns", "slow", "quiet", "clear", "deep", "bright", "narrow", "early", "late",
	"old", "new", "small", "great", "here", "there", "always", "often", "once", "again",
}
