package simulated_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

type object struct {
	ID      string
	Status  string
	Bytes   int
	Output  string `json:"output_file_id"`
	Failed  string `json:"error_file_id"`
	Counts  struct{ Total, Completed, Failed int }
	Data    []object
	HasMore bool `json:"has_more"`
	Errors  *struct{ Data []struct{ Code string } }
}

func get(t *testing.T, s *simulated.Server, method, path, body string) (int, object) {
	t.Helper()
	w := ask(s, method, path, body)
	var o object
	if err := json.Unmarshal(bytes.ReplaceAll(w.Body.Bytes(), []byte("request_counts"), []byte("counts")), &o); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, o
}

func upload(t *testing.T, s *simulated.Server, purpose, text string) (int, object) {
	t.Helper()
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if purpose != "" {
		if err := m.WriteField("purpose", purpose); err != nil {
			t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", "f.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(part, text)
	m.Close()
	r := httptest.NewRequest(http.MethodPost, "/v1/files", &form)
	r.Header.Set("Content-Type", m.FormDataContentType())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var o object
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, o
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Tokens: 8})
	if code, _ := upload(t, s, "", "x"); code != 400 {
		t.Errorf("without a purpose: %d", code)
	}
	if code, _ := upload(t, s, "fun", "x"); code != 400 {
		t.Errorf("for fun: %d", code)
	}
	var ids []string
	for i := range 3 {
		code, f := upload(t, s, "user_data", fmt.Sprintf("file %d", i))
		if code != 200 || f.Bytes != 6 {
			t.Fatalf("got %d %+v", code, f)
		}
		ids = append(ids, f.ID)
	}
	if _, l := get(t, s, http.MethodGet, "/v1/files?limit=2", ""); len(l.Data) != 2 || l.Data[0].ID != ids[2] || !l.HasMore {
		t.Errorf("listed %+v", l)
	}
	if _, l := get(t, s, http.MethodGet, "/v1/files?after="+ids[1], ""); len(l.Data) != 1 || l.Data[0].ID != ids[0] || l.HasMore {
		t.Errorf("listed %+v", l)
	}
	if _, l := get(t, s, http.MethodGet, "/v1/files?purpose=batch", ""); len(l.Data) != 0 {
		t.Errorf("listed %+v", l)
	}
	about := func(part string) string {
		w := ask(s, http.MethodPost, path, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{`+part+`}}]}]}`)
		return decode(t, w.Body.String()).Choices[0].Message.Content
	}
	if byID, byData := about(`"file_id":"`+ids[0]+`"`), about(`"file_data":"data:text/plain;base64,ZmlsZSAw"`); byID != byData {
		t.Errorf("a file has the answer %q by its id and %q by its data", byID, byData)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	create := func(t *testing.T, s *simulated.Server, lines string) object {
		t.Helper()
		_, f := upload(t, s, "batch", lines)
		code, b := get(t, s, http.MethodPost, "/v1/batches", fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, f.ID))
		if code != 200 {
			t.Fatalf("created: %d", code)
		}
		return b
	}
	line := func(id, body string) string {
		return fmt.Sprintf(`{"custom_id":%q,"method":"POST","url":"/v1/chat/completions","body":%s}`, id, body) + "\n"
	}
	const good = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

	t.Run("answer their lines when their time has come", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := simulated.New(catalog.Simulate{P50: time.Minute, Tokens: 3}, "m")
			b := create(t, s, line("a", good)+"\n"+line("b", strings.Replace(good, `"m"`, `"x"`, 1))+line("c", strings.Replace(good, `{`, `{"stream":true,`, 1)))
			if _, b = get(t, s, http.MethodGet, "/v1/batches/"+b.ID, ""); b.Status != "in_progress" || b.Counts.Total != 3 {
				t.Errorf("got %+v", b)
			}
			<-time.After(time.Minute)
			if _, b = get(t, s, http.MethodGet, "/v1/batches/"+b.ID, ""); b.Status != "completed" || b.Counts.Completed != 1 || b.Counts.Failed != 2 {
				t.Errorf("got %+v", b)
			}
			if out := ask(s, http.MethodGet, "/v1/files/"+b.Output+"/content", "").Body.String(); !strings.Contains(out, `"custom_id":"a"`) || strings.Count(out, "\n") != 1 {
				t.Errorf("the output is %s", out)
			}
			if out := ask(s, http.MethodGet, "/v1/files/"+b.Failed+"/content", "").Body.String(); !strings.Contains(out, "model_not_found") || !strings.Contains(out, `"custom_id":"c"`) {
				t.Errorf("the errors are %s", out)
			}
			if code, _ := get(t, s, http.MethodPost, "/v1/batches/"+b.ID+"/cancel", ""); code != 409 {
				t.Errorf("canceled after its end: %d", code)
			}
			if _, l := get(t, s, http.MethodGet, "/v1/batches", ""); len(l.Data) != 1 || l.Data[0].ID != b.ID {
				t.Errorf("listed %+v", l)
			}
		})
	})
	t.Run("are canceled", func(t *testing.T) {
		t.Parallel()
		s := simulated.New(catalog.Simulate{P50: time.Hour, Tokens: 3})
		b := create(t, s, line("a", good))
		if _, b = get(t, s, http.MethodPost, "/v1/batches/"+b.ID+"/cancel", ""); b.Status != "cancelling" {
			t.Errorf("got %+v", b)
		}
		if _, b = get(t, s, http.MethodGet, "/v1/batches/"+b.ID, ""); b.Status != "cancelled" || b.Output != "" {
			t.Errorf("got %+v", b)
		}
	})
	t.Run("fail at once for lines that are none", func(t *testing.T) {
		t.Parallel()
		s := simulated.New(catalog.Simulate{})
		for want, lines := range map[string]string{
			"empty_file": "\n", "invalid_json_line": "{", "missing_required_parameter": line("", good), "duplicate_custom_id": line("a", good) + line("a", good),
			"invalid_method": strings.Replace(line("a", good), "POST", "GET", 1), "mismatched_endpoint": strings.Replace(line("a", good), "/v1/chat", "/v2/chat", 1),
		} {
			if b := create(t, s, lines); b.Status != "failed" || b.Errors.Data[0].Code != want {
				t.Errorf("%s: got %+v", want, b)
			}
		}
	})
}

// TestWhatIsKeptIsBounded keeps more than there is room for.
func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{})
	var first, last response
	for i := range 1001 {
		_, last = respond(t, s, http.MethodPost, "/v1/responses", `{"model":"m","input":"hi"}`)
		if i == 0 {
			first = last
		}
	}
	if code, _ := respond(t, s, http.MethodGet, "/v1/responses/"+first.ID, ""); code != 404 {
		t.Errorf("the oldest is answered %d", code)
	}
	if code, _ := respond(t, s, http.MethodGet, "/v1/responses/"+last.ID, ""); code != 200 {
		t.Errorf("the newest is answered %d", code)
	}
}
