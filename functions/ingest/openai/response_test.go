package openai_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"baton.dev/baton/events"
)

func inBackground() responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model: "gpt-4o", Background: param.NewOpt(true), Instructions: param.NewOpt("be short"),
		Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("Hello")}, Metadata: shared.Metadata{"k": "<v>"},
	}
}

func TestAResponseOfTheBackgroundIsPolled(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	c := w.client()
	r, err := c.Responses.New(t.Context(), inBackground())
	must(t, err)
	if r.ID == "" || !r.Background {
		t.Errorf("answered %s", r.RawJSON())
	}
	until(t, func() bool {
		r, err = c.Responses.Get(t.Context(), r.ID, responses.ResponseGetParams{})
		must(t, err)
		return r.Status == responses.ResponseStatusCompleted
	})
	if r.OutputText() == "" || r.Instructions.OfString != "be short" || r.Metadata["k"] != "<v>" || r.Usage.TotalTokens == 0 {
		t.Errorf("answered %s", r.RawJSON())
	}
}

func TestAResponseIsCanceledWhileItWaits(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	c := w.client()
	r, err := c.Responses.New(t.Context(), inBackground())
	must(t, err)
	if r.Status != responses.ResponseStatusQueued {
		t.Errorf("answered %s", r.RawJSON())
	}
	for range 2 { // to cancel again is no error
		r, err = c.Responses.Cancel(t.Context(), r.ID)
		must(t, err)
		if r.Status != responses.ResponseStatusCancelled || r.Metadata["k"] != "<v>" {
			t.Errorf("answered %s", r.RawJSON())
		}
	}
	s := c.Responses.GetStreaming(t.Context(), r.ID, responses.ResponseGetParams{})
	last := ""
	for s.Next() {
		last = s.Current().Type + " " + string(s.Current().Response.Status)
	}
	must(t, s.Err())
	if last != "response.failed cancelled" {
		t.Errorf("the stream ends with %q", last)
	}
}

func TestAResponseThatIsNotStoredIsNotThereAfterItsCall(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	c := w.client()
	r, err := c.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: "gpt-4o", Store: param.NewOpt(false), Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt("Hello")},
		Instructions: param.NewOpt(strings.Repeat("long ", 4<<10)), // a note that is cut does not lose it
	})
	must(t, err)
	if r.OutputText() == "" || !strings.Contains(r.RawJSON(), `"store":false`) {
		t.Errorf("answered %s", r.RawJSON())
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		a := w.do(t, method, "/v1/responses/"+r.ID, "")
		if e := a.error(t); a.status != 404 || !strings.Contains(e.Message, r.ID) {
			t.Errorf("%s answered %d %s", method, a.status, a.body)
		}
	}
}

func TestAResponseThatIsNotOfTheBackgroundIsNotCanceled(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	a := w.post(t, "/v1/responses", `{"model":"gpt-4o","input":"x"}`)
	if a.status != 200 {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	id := "resp_" + strings.ReplaceAll(a.header.Get("X-Request-Id"), "-", "")
	b := w.do(t, http.MethodPost, "/v1/responses/"+id+"/cancel", "")
	if e := b.error(t); b.status != 400 || e.Message != "Cannot cancel a synchronous response." {
		t.Errorf("answered %d %s", b.status, b.body)
	}
	got := w.do(t, http.MethodGet, "/v1/responses/"+id, "")
	if got.body != a.body {
		t.Errorf("had %s\nlater %s", a.body, got.body)
	}
}

func TestADeletedResponseIsGone(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	c := w.client()
	r, err := c.Responses.New(t.Context(), inBackground())
	must(t, err)
	a := w.do(t, http.MethodDelete, "/v1/responses/"+r.ID, "")
	if a.status != 200 || a.body != `{"id":"`+r.ID+`","object":"response","deleted":true}` {
		t.Errorf("answered %d %s", a.status, a.body)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.do(t, method, "/v1/responses/"+r.ID, ""); a.status != 404 {
			t.Errorf("%s answered %d %s", method, a.status, a.body)
		}
	}
	if st, err := w.store.Look(t.Context(), a.header.Get("X-Request-Id")); err != nil || st.Status() != events.StatusCanceled {
		t.Errorf("the request is %v, %v", st.Status(), err)
	}
}

func TestAResponseIsOfItsTenantAlone(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	c := w.client()
	r, err := c.Responses.New(t.Context(), inBackground())
	must(t, err)
	for _, path := range []string{"", "?stream=true"} {
		if a := w.do(t, http.MethodGet, "/v1/responses/"+r.ID+path, "", "Authorization", "Bearer "+narrowKey); a.status != 404 {
			t.Errorf("answered %d %s", a.status, a.body)
		}
	}
}

func TestAResponseThatFailedSaysWhy(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	c := w.client()
	p := inBackground()
	p.Model = "gone"
	r, err := c.Responses.New(t.Context(), p)
	must(t, err)
	until(t, func() bool {
		r, err = c.Responses.Get(t.Context(), r.ID, responses.ResponseGetParams{})
		must(t, err)
		return r.Status == responses.ResponseStatusFailed
	})
	if r.Error.Code != responses.ResponseErrorCodeServerError || r.Error.Message == "" || len(r.Output) != 0 {
		t.Errorf("answered %s", r.RawJSON())
	}
}

func TestAConversationGoesOnWithItsItems(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	var sent string
	w.models <- func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		sent = string(b)
		_, _ = rw.Write([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"sunny"},"finish_reason":"stop"}]}`))
	}
	a := w.post(t, "/v1/responses", `{"model":"gpt-4o","instructions":"short","input":[
		{"role":"user","content":[{"type":"input_text","text":"weather?"}]},
		{"type":"reasoning","id":"rs_1","summary":[]},
		{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look.","annotations":[]}]},
		{"type":"function_call","call_id":"c1","name":"weather","arguments":"{}"},
		{"type":"function_call","call_id":"c2","name":"weather","arguments":"{}"},
		{"type":"function_call_output","call_id":"c1","output":"sun"},
		{"type":"function_call_output","call_id":"c2","output":"sun"}],
		"reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
		"max_output_tokens":9,"temperature":0.5,"x_own":1,"store":false,"truncation":"auto"}`)
	if a.status != 200 || !strings.Contains(a.body, "sunny") {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	want := `{"model":"gpt-4o","messages":[{"role":"system","content":"short"},{"role":"user","content":"weather?"},` +
		`{"role":"assistant","content":"I look.","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{}"}},` +
		`{"id":"c2","type":"function","function":{"name":"weather","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"c1","content":"sun"},{"role":"tool","tool_call_id":"c2","content":"sun"}],` +
		`"max_completion_tokens":9,"reasoning_effort":"low",` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},"temperature":0.5,"x_own":1}`
	if sent != want {
		t.Errorf("the model got\n%s\nwant\n%s", sent, want)
	}
}
