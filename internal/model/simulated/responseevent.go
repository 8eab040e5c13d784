package simulated

import "net/http"

// responseEvent is an event of a streamed response. Which fields it has is for its type to say.
type responseEvent struct {
	Type         string          `json:"type"`
	Number       int             `json:"sequence_number"`
	Response     *response       `json:"response,omitempty"`
	ItemID       string          `json:"item_id,omitempty"`
	OutputIndex  *int            `json:"output_index,omitempty"`
	ContentIndex *int            `json:"content_index,omitempty"`
	Item         *outputItem     `json:"item,omitempty"`
	Part         *contentPart    `json:"part,omitempty"`
	Delta        *string         `json:"delta,omitempty"`
	Text         *string         `json:"text,omitempty"`
	Name         string          `json:"name,omitempty"`
	Arguments    *string         `json:"arguments,omitempty"`
	Logprobs     *[]tokenLogprob `json:"logprobs,omitempty"`
}

// narrator tells events, and numbers them.
type narrator struct {
	flow *flow
	n    int
}

func (n *narrator) tell(e responseEvent) {
	e.Number = n.n
	n.n++
	n.flow.named(e.Type, encode(e))
}

// streamResponse writes the response as events, in the order in which OpenAI does. The first two come at once.
func (s *Server) streamResponse(w http.ResponseWriter, r *http.Request, t turn, resp *response, c choice) {
	f := s.flow(r.Context(), w, t.took, max(len(c.tokens), 1))
	n := narrator{flow: f}
	begun := resp.copied()
	n.tell(responseEvent{Type: "response.created", Response: begun})
	n.tell(responseEvent{Type: "response.in_progress", Response: begun})
	if f.next() != nil {
		return
	}
	zero := 0
	item := resp.answer
	item.Status = inProgress
	if c.call != nil {
		empty := ""
		item.Arguments = &empty
	} else {
		item.Content = []contentPart{}
	}
	n.tell(responseEvent{Type: "response.output_item.added", OutputIndex: &zero, Item: &item})
	says := n.text
	if c.call != nil {
		says = n.call
	}
	if !says(resp, c) {
		return
	}
	n.tell(responseEvent{Type: "response.output_item.done", OutputIndex: &zero, Item: &resp.answer})
	n.tell(responseEvent{Type: "response." + resp.finish, Response: resp.whole()})
	f.end()
}

// text tells a message's only part. It reports false when nobody listens any more.
func (n *narrator) text(resp *response, c choice) bool {
	zero, none := 0, []tokenLogprob{}
	id, part := resp.answer.ID, resp.answer.Content[0]
	about := func(e responseEvent) responseEvent {
		e.ItemID, e.OutputIndex, e.ContentIndex = id, &zero, &zero
		return e
	}
	begun := part
	begun.Text, begun.Logprobs = "", none
	n.tell(about(responseEvent{Type: "response.content_part.added", Part: &begun}))
	for i := range c.tokens {
		if i > 0 && n.flow.next() != nil {
			return false
		}
		n.tell(about(responseEvent{Type: "response.output_text.delta", Delta: &c.tokens[i], Logprobs: &none}))
	}
	n.tell(about(responseEvent{Type: "response.output_text.done", Text: &part.Text, Logprobs: &part.Logprobs}))
	n.tell(about(responseEvent{Type: "response.content_part.done", Part: &part}))
	return true
}

// call tells the arguments of a call.
func (n *narrator) call(resp *response, c choice) bool {
	zero := 0
	about := func(e responseEvent) responseEvent {
		e.ItemID, e.OutputIndex = resp.answer.ID, &zero
		return e
	}
	for i := range c.tokens {
		if i > 0 && n.flow.next() != nil {
			return false
		}
		n.tell(about(responseEvent{Type: "response.function_call_arguments.delta", Delta: &c.tokens[i]}))
	}
	n.tell(about(responseEvent{
		Type: "response.function_call_arguments.done", Name: c.call.Name, Arguments: resp.answer.Arguments,
	}))
	return true
}
