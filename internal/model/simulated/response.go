package simulated

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// response is a response, as it is written.
type response struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	CreatedAt         int64             `json:"created_at"`
	Status            string            `json:"status"`
	Background        bool              `json:"background"`
	Error             *responseError    `json:"error"`
	Incomplete        *incomplete       `json:"incomplete_details"`
	Instructions      *string           `json:"instructions"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Model             string            `json:"model"`
	Output            []outputItem      `json:"output"`
	ParallelToolCalls bool              `json:"parallel_tool_calls"`
	PreviousID        *string           `json:"previous_response_id"`
	Reasoning         json.RawMessage   `json:"reasoning"`
	ServiceTier       string            `json:"service_tier"`
	Store             bool              `json:"store"`
	Temperature       float64           `json:"temperature"`
	Text              json.RawMessage   `json:"text"`
	ToolChoice        json.RawMessage   `json:"tool_choice"`
	Tools             json.RawMessage   `json:"tools"`
	TopLogprobs       int               `json:"top_logprobs"`
	TopP              float64           `json:"top_p"`
	Truncation        string            `json:"truncation"`
	Usage             *responseUsage    `json:"usage"`
	User              *string           `json:"user"`
	Metadata          map[string]string `json:"metadata"`

	answer  outputItem // what Output becomes
	finish  string
	counted responseUsage
	said    []uint64 // the prompt and the answer, for the next response to go on from

	mu  sync.Mutex
	due time.Time
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

// outputItem is a message, or the call of a function.
type outputItem struct {
	ID      string        `json:"id"`
	Type    string        `json:"type"`
	Status  string        `json:"status"`
	Role    string        `json:"role,omitempty"`
	Content []contentPart `json:"content,omitzero"`

	CallID    string  `json:"call_id,omitempty"`
	Name      string  `json:"name,omitempty"`
	Arguments *string `json:"arguments,omitempty"`
}

type contentPart struct {
	Type        string         `json:"type"`
	Text        string         `json:"text"`
	Annotations []string       `json:"annotations"`
	Logprobs    []tokenLogprob `json:"logprobs"`
}

type responseUsage struct {
	Input        int `json:"input_tokens"`
	InputDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	Output        int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int `json:"total_tokens"`
}

// The statuses of a response and its items.
const (
	queuedResponse     = "queued"
	inProgress         = "in_progress"
	completedResponse  = "completed"
	incompleteResponse = "incomplete"
	cancelledResponse  = "cancelled"
)

func (s *Server) respond(w http.ResponseWriter, r *http.Request) {
	var req responseRequest
	if f := take(r, &req); f != nil {
		f.write(w)
		return
	}
	p := prompt{keep: true, stored: s.kept.attachment}
	wish, f := s.readResponse(&req, &p)
	if f != nil {
		f.write(w)
		return
	}
	b, t, f := s.turn(req.Model)
	if f != nil {
		f.write(w)
		return
	}
	choice := b.choices(p.sum, wish)[0]
	resp := req.response()
	resp.ID, resp.CreatedAt = fmt.Sprintf("resp_%d", t.number), s.now().Unix()
	resp.answered(t.number, choice, p, wish)
	resp.due = s.now().Add(t.took)
	if resp.Store || resp.Background {
		keep(s.kept, &s.kept.responses, resp)
	}
	switch {
	case req.Stream:
		resp.due = time.Time{} // the stream itself takes the time
		s.streamResponse(w, r, t, resp, choice)
	case resp.Background:
		resp.Status = queuedResponse
		write(w, resp)
	default:
		if s.wait(r.Context(), t.took) != nil {
			unavailable("The server is shutting down.", "shutting_down").write(w)
			return
		}
		write(w, resp.whole())
	}
}

// answered sets what the response will say once its time has come.
func (r *response) answered(number uint64, c choice, p prompt, w wish) {
	text := c.text()
	r.finish = completedResponse
	if c.finish == "length" {
		r.finish = incompleteResponse
	}
	n := strconv.FormatUint(number, 10)
	if c.call != nil {
		r.answer = outputItem{
			ID: "fc_" + n, Type: "function_call", Status: completedResponse,
			CallID: callID(number, 0), Name: c.call.Name, Arguments: &text,
		}
		p.calls(c.call.Name, text)
	} else {
		part := contentPart{Type: "output_text", Text: text, Annotations: []string{}, Logprobs: []tokenLogprob{}}
		if w.logprobs {
			part.Logprobs = c.logprobs(0, len(c.tokens), w.top)
		}
		r.answer = outputItem{ID: "msg_" + n, Type: "message", Status: r.finish, Role: "assistant", Content: []contentPart{part}}
		var said content
		_ = said.UnmarshalJSON(encode(text)) // a text is a content
		_ = p.says("assistant", said, responseDialect, "")
	}
	r.said = p.records
	u := (&prompt{tokens: p.tokens}).usage([]choice{c})
	if c.call == nil {
		u.Prompt -= countWords([]byte(text)) // says has counted the answer among the prompt
	}
	r.counted = responseUsage{Input: u.Prompt, Output: u.Completion, Total: u.Prompt + u.Completion}
}

// whole returns the response as it stands in the end.
func (r *response) whole() *response {
	whole := r.copied()
	whole.Status, whole.Output, whole.Usage = r.finish, []outputItem{r.answer}, &r.counted
	if r.finish == incompleteResponse {
		whole.Incomplete = &incomplete{"max_output_tokens"}
	}
	return whole
}

// copied returns what is written of the response.
func (r *response) copied() *response {
	return &response{
		ID: r.ID, Object: r.Object, CreatedAt: r.CreatedAt, Status: r.Status, Background: r.Background,
		Instructions: r.Instructions, MaxOutputTokens: r.MaxOutputTokens, Model: r.Model, Output: r.Output,
		ParallelToolCalls: r.ParallelToolCalls, PreviousID: r.PreviousID, Reasoning: r.Reasoning, ServiceTier: r.ServiceTier,
		Store: r.Store, Temperature: r.Temperature, Text: r.Text, ToolChoice: r.ToolChoice, Tools: r.Tools,
		TopLogprobs: r.TopLogprobs, TopP: r.TopP, Truncation: r.Truncation, User: r.User, Metadata: r.Metadata,
	}
}

// standing returns the response as it stands at a time.
func (r *response) standing(now time.Time) *response {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.Status == cancelledResponse:
		return r.copied()
	case now.Before(r.due):
		c := r.copied()
		c.Status = inProgress
		return c
	}
	return r.whole()
}

func (s *Server) withResponse(w http.ResponseWriter, r *http.Request, answer func(*response)) {
	id := r.PathValue("id")
	resp, ok := s.kept.response(id)
	if !ok {
		nothing("Response", id).write(w)
		return
	}
	answer(resp)
}

func (s *Server) getResponse(w http.ResponseWriter, r *http.Request) {
	s.withResponse(w, r, func(resp *response) { write(w, resp.standing(s.now())) })
}

func (s *Server) deleteResponse(w http.ResponseWriter, r *http.Request) {
	s.withResponse(w, r, func(resp *response) {
		drop(s.kept, &s.kept.responses, func(kept *response) bool { return kept == resp })
		write(w, deleted{resp.ID, "response", true})
	})
}

// cancelResponse cancels what runs in the background. What has ended stays as it is.
func (s *Server) cancelResponse(w http.ResponseWriter, r *http.Request) {
	s.withResponse(w, r, func(resp *response) {
		if !resp.Background {
			bad("Cannot cancel a synchronous response.", "", "").write(w)
			return
		}
		resp.mu.Lock()
		if s.now().Before(resp.due) {
			resp.Status = cancelledResponse
		}
		resp.mu.Unlock()
		write(w, resp.standing(s.now()))
	})
}
