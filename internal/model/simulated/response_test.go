package simulated_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

type response struct {
	ID     string
	Status string
	Output []struct {
		Type    string
		Content []struct{ Text string }
	}
	Usage *struct {
		Input int `json:"input_tokens"`
	}
}

// respond sends a request about a response and returns the status and what came back.
func respond(t *testing.T, s *simulated.Server, method, path, body string) (int, response) {
	t.Helper()
	w := ask(s, method, path, body)
	var r response
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, r
}

func text(t *testing.T, r response) string {
	t.Helper()
	if len(r.Output) != 1 || len(r.Output[0].Content) != 1 {
		t.Fatalf("got %+v", r)
	}
	return r.Output[0].Content[0].Text
}

func TestTheWordsDependOnWhatIsSaidAndNotOnHow(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Tokens: 20, Seed: 2})
	chat := func(messages string) string {
		w := ask(s, http.MethodPost, path, `{"model":"m","messages":`+messages+`}`)
		return decode(t, w.Body.String()).Choices[0].Message.Content
	}
	response := func(input string) string {
		_, r := respond(t, s, http.MethodPost, "/v1/responses", `{"model":"m",`+input+`}`)
		return text(t, r)
	}
	same := [][]string{
		{
			chat(`[{"role":"user","content":"h\u00e9\n"}]`), chat(`[ {"content":[{"text":"hé\u000a","type":"text"}],"role":"user"} ]`),
			response(`"input":"hé\n"`), response(`"input":[{"role":"user","content":[{"type":"input_text","text":"hé\n"}]}]`),
		},
		{
			chat(`[{"role":"system","content":"s"},{"role":"user","content":"u"}]`), response(`"instructions":"s","input":"u"`),
			response(`"input":[{"role":"developer","content":"s"},{"type":"message","role":"user","content":"u"}]`),
		},
		{
			chat(`[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]`),
			chat(`[{"role":"assistant","content":"","tool_calls":[{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"2","content":"r"}]`),
			response(`"input":[{"type":"function_call","call_id":"3","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"3","output":"r"}]`),
		},
	}
	seen := map[string]bool{}
	for _, texts := range same {
		seen[texts[0]] = true
		for _, other := range texts {
			if other != texts[0] {
				t.Errorf("got %q and %q for the same", other, texts[0])
			}
		}
	}
	if len(seen) != len(same) {
		t.Error("different prompts have the same answer")
	}
	if chat(`[{"role":"user","content":"a"},{"role":"user","content":"b"}]`) == chat(`[{"role":"user","content":"b"},{"role":"user","content":"a"}]`) {
		t.Error("the order of the messages makes no difference")
	}
}

func TestAResponseGoesOnFromOneBefore(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Tokens: 6})
	_, first := respond(t, s, http.MethodPost, "/v1/responses", `{"model":"m","instructions":"only now","input":"one"}`)
	_, second := respond(t, s, http.MethodPost, "/v1/responses", fmt.Sprintf(`{"model":"m","input":"two","previous_response_id":%q}`, first.ID))
	_, whole := respond(t, s, http.MethodPost, "/v1/responses", fmt.Sprintf(
		`{"model":"m","input":[{"role":"user","content":"one"},{"role":"assistant","content":%q},{"role":"user","content":"two"}]}`, text(t, first)))
	if text(t, second) != text(t, whole) {
		t.Errorf("got %q, and %q of the whole conversation", text(t, second), text(t, whole))
	}
	if code, _ := respond(t, s, http.MethodDelete, "/v1/responses/"+first.ID, ""); code != 200 {
		t.Errorf("deleted: %d", code)
	}
	if code, _ := respond(t, s, http.MethodGet, "/v1/responses/"+first.ID, ""); code != 404 {
		t.Errorf("what was deleted is answered %d", code)
	}
}

func TestAResponseInTheBackground(t *testing.T) {
	t.Parallel()
	const body = `{"model":"m","input":"hi","background":true}`
	t.Run("is queued, in progress, and completed when its time has come", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := simulated.New(catalog.Simulate{P50: time.Minute, Tokens: 2})
			_, r := respond(t, s, http.MethodPost, "/v1/responses", body)
			if r.Status != "queued" || len(r.Output) != 0 || r.Usage != nil {
				t.Errorf("got %+v", r)
			}
			if _, r = respond(t, s, http.MethodGet, "/v1/responses/"+r.ID, ""); r.Status != "in_progress" {
				t.Errorf("got %+v", r)
			}
			<-time.After(time.Minute)
			if _, r = respond(t, s, http.MethodGet, "/v1/responses/"+r.ID, ""); r.Status != "completed" || text(t, r) == "" || r.Usage.Input != 1 {
				t.Errorf("got %+v", r)
			}
			if _, r = respond(t, s, http.MethodPost, "/v1/responses/"+r.ID+"/cancel", ""); r.Status != "completed" {
				t.Errorf("canceled after its end: %+v", r)
			}
		})
	})
	t.Run("stays canceled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := simulated.New(catalog.Simulate{P50: time.Minute, Tokens: 2})
			_, r := respond(t, s, http.MethodPost, "/v1/responses", body)
			respond(t, s, http.MethodPost, "/v1/responses/"+r.ID+"/cancel", "")
			<-time.After(time.Hour)
			if _, r = respond(t, s, http.MethodGet, "/v1/responses/"+r.ID, ""); r.Status != "cancelled" || len(r.Output) != 0 {
				t.Errorf("got %+v", r)
			}
		})
	})
	t.Run("cannot be canceled where it is not of the background", func(t *testing.T) {
		t.Parallel()
		s := simulated.New(catalog.Simulate{})
		_, r := respond(t, s, http.MethodPost, "/v1/responses", `{"model":"m","input":"hi"}`)
		if code, _ := respond(t, s, http.MethodPost, "/v1/responses/"+r.ID+"/cancel", ""); code != 400 {
			t.Errorf("got %d", code)
		}
	})
}
