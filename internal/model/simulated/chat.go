package simulated

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// chatRequest is a chat completion's as far as the server reads it.
type chatRequest struct {
	Model         string          `json:"model"`
	Messages      []message       `json:"messages"`
	Temperature   *float64        `json:"temperature"`
	TopP          *float64        `json:"top_p"`
	MaxTokens     *int            `json:"max_tokens"`
	MaxCompletion *int            `json:"max_completion_tokens"`
	N             *int            `json:"n"`
	Stop          json.RawMessage `json:"stop"`
	Seed          *int64          `json:"seed"`
	Tools         []tool          `json:"tools"`
	ToolChoice    json.RawMessage `json:"tool_choice"`
	Format        *format         `json:"response_format"`
	Logprobs      bool            `json:"logprobs"`
	TopLogprobs   *int            `json:"top_logprobs"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role      string  `json:"role"`
	Content   content `json:"content"`
	Refusal   words   `json:"refusal"`
	ToolCalls []struct {
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// read adds the messages to the prompt.
func (r *chatRequest) read(p *prompt) *fault {
	if r.Model == "" {
		return bad("you must provide a model parameter", "", "")
	}
	if r.Messages == nil {
		return missing("messages")
	}
	if len(r.Messages) == 0 {
		return bad("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
			"messages", "empty_array")
	}
	for i := range r.Messages {
		m := &r.Messages[i]
		switch {
		case m.Role == "":
			return missing(fmt.Sprintf("messages[%d].role", i))
		case speaker(m.Role) == 0:
			return wrongValue(fmt.Sprintf("messages[%d].role", i), m.Role, "system", "assistant", "user", "function", "tool", "developer")
		case m.Content.present() || m.Content.wrong != "":
			if len(m.ToolCalls) > 0 && m.Content.parts == nil && m.Content.wrong == "" && m.Content.text.n == 0 {
				break
			}
			at := ""
			if m.Content.parts != nil || m.Content.wrong != "" { // only there can anything be wrong
				at = fmt.Sprintf("messages[%d].content", i)
			}
			if f := p.says(m.Role, m.Content, chatDialect, at); f != nil {
				return f
			}
		case m.Role != "assistant":
			return missing(fmt.Sprintf("messages[%d].content", i))
		}
		for _, c := range m.ToolCalls {
			p.calls(c.Function.Name, c.Function.Arguments)
		}
	}
	return nil
}

// wish returns what is asked of the answer.
func (r *chatRequest) wish(p *prompt) (wish, *fault) {
	w := wish{n: 1, logprobs: r.Logprobs}
	if r.Seed != nil {
		w.seed = uint64(*r.Seed)
	}
	n, f1 := whole("n", r.N, 1, 128)
	w.n = max(n, 1)
	tokens, f2 := whole("max_tokens", r.MaxTokens, 1, 0)
	completion, f3 := whole("max_completion_tokens", r.MaxCompletion, 1, 0)
	w.limit = max(tokens, completion)
	var f4 *fault
	w.top, f4 = whole("top_logprobs", r.TopLogprobs, 0, 20)
	if f4 == nil && w.top > 0 && !w.logprobs {
		f4 = bad("Invalid value for 'top_logprobs': 'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs", "")
	}
	return w, first(upTo("temperature", r.Temperature, 2), upTo("top_p", r.TopP, 1), f1, f2, f3, f4,
		w.until(r.Stop), w.choose(r.Tools, r.ToolChoice, p.afterTool),
		w.shape(r.Format, "response_format", ".json_schema"))
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	buf := buffer()
	defer release(buf)
	if f := read(r, buf); f != nil {
		f.write(w)
		return
	}
	var req chatRequest
	p := prompt{stored: s.kept.attachment}
	if f := decode(buf.Bytes(), &req); f != nil {
		f.write(w)
		return
	}
	if f := req.read(&p); f != nil {
		f.write(w)
		return
	}
	wish, f := req.wish(&p)
	if f != nil {
		f.write(w)
		return
	}
	b, t, f := s.turn(req.Model)
	if f != nil {
		f.write(w)
		return
	}
	if req.Stream {
		s.streamChat(w, r, t, chatAnswer{
			head: head{"chatcmpl-" + strconv.FormatUint(t.number, 10), s.now().Unix(), req.Model}, number: t.number,
			choices: b.choices(p.sum, wish), prompt: p, wish: wish,
		}, req.StreamOptions.IncludeUsage)
		return
	}
	if s.wait(r.Context(), t.took) != nil {
		unavailable("The server is shutting down.", "shutting_down").write(w) // or the client is gone, and nobody reads this
		return
	}
	// Nothing in the buffer is used from here on: it holds the response.
	buf.Reset()
	a := chatAnswer{
		head: head{"chatcmpl-" + strconv.FormatUint(t.number, 10), s.now().Unix(), req.Model}, number: t.number,
		prompt: p, wish: wish,
	}
	if wish.plain() && p.audio == 0 {
		a.plain(buf, b)
	} else {
		a.choices = b.choices(p.sum, wish)
		buf.Write(encode(a.completion()))
	}
	w.Header()["Content-Type"] = contentTypeJSON
	w.Header()["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	_, _ = w.Write(buf.Bytes())
}

// head is what all answers to one call begin with.
type head struct {
	id      string
	created int64
	model   string
}

// append appends the head, as the begin of an object.
func (h *head) append(b []byte, object string) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, h.id...)
	b = append(b, `","object":"`...)
	b = append(b, object...)
	b = append(b, `","created":`...)
	b = strconv.AppendInt(b, h.created, 10)
	b = append(b, `,"model":`...)
	return appendString(b, h.model)
}

// chatAnswer is a chat completion about to be written.
type chatAnswer struct {
	head

	number  uint64
	choices []choice
	prompt  prompt
	wish    wish
}

// plain writes an answer of words, which is what load tests ask for, without making anything of it before.
func (a *chatAnswer) plain(buf *bytes.Buffer, behaves behaviour) {
	n, finish := behaves.tokens, "stop"
	if l := a.wish.limit; l > 0 && l < n {
		n, finish = l, "length"
	}
	d := behaves.drawOf(a.prompt.sum, a.wish, 0)
	b := a.head.append(buf.AvailableBuffer(), "chat.completion")
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":"`...)
	for i := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, vocabulary[d.index(len(vocabulary))]...)
	}
	b = append(b, `","refusal":null},"logprobs":null,"finish_reason":"`...)
	b = append(b, finish...)
	b = append(b, `"}],"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(a.prompt.tokens), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(a.prompt.tokens+n), 10)
	b = append(b, `}}`...)
	buf.Write(b)
}

// completion is a chat completion as it is written.
type completion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   usage        `json:"usage"`
}

type chatChoice struct {
	Index    int         `json:"index"`
	Message  chatMessage `json:"message"`
	Logprobs *logprobs   `json:"logprobs"`
	Finish   string      `json:"finish_reason"`
}

type chatMessage struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	Refusal   *string    `json:"refusal"`
	ToolCalls []toolCall `json:"tool_calls,omitempty"`
}

type toolCall struct {
	Index    *int   `json:"index,omitempty"` // of a chunk
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type logprobs struct {
	Content []tokenLogprob `json:"content"`
	Refusal []tokenLogprob `json:"refusal"`
}

// completion returns the answer as a whole.
func (a *chatAnswer) completion() completion {
	c := completion{
		ID: a.id, Object: "chat.completion", Created: a.created, Model: a.model,
		Choices: make([]chatChoice, len(a.choices)), Usage: a.prompt.usage(a.choices),
	}
	for i := range a.choices {
		from := &a.choices[i]
		c.Choices[i] = chatChoice{
			Index: i, Finish: from.finish, Message: chatMessage{Role: "assistant"}, Logprobs: a.logprobs(from, 0, len(from.tokens)),
		}
		text := from.text()
		if from.call == nil {
			c.Choices[i].Message.Content = &text
			continue
		}
		call := toolCall{ID: callID(a.number, i), Type: "function"}
		call.Function.Name, call.Function.Arguments = from.call.Name, text
		c.Choices[i].Message.ToolCalls = []toolCall{call}
	}
	return c
}

func (a *chatAnswer) logprobs(c *choice, from, to int) *logprobs {
	if !a.wish.logprobs || c.call != nil {
		return nil
	}
	return &logprobs{Content: c.logprobs(from, to, a.wish.top)}
}
