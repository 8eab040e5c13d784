package local_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"baton.dev/baton/local"
)

// embed asks for embeddings of n texts, which take some 20 KiB each.
func embed(t *testing.T, l *local.Local, n int) (status int, answer string) {
	t.Helper()
	input := `"text"` + strings.Repeat(`,"text"`, n-1)
	return call(t, l, http.MethodPost, "/v1/embeddings", `{"model":"gpt-4-turbo","input":[`+input+`]}`)
}

func TestManyEmbeddingsAreOneAnswer(t *testing.T) {
	t.Parallel()
	l := started(t, local.Options{})
	status, answer := embed(t, l, 250)
	var got struct {
		Data []struct {
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || len(got.Data) != 250 || len(got.Data[249].Embedding) != 1536 {
		t.Errorf("answered %d %.300s, %v", status, answer, err)
	}
	if len(answer) < 4<<20 {
		t.Errorf("the answer has %d bytes, which is less than this is about", len(answer))
	}
}

func TestMoreThanAResultMayHaveIsAskedForOnce(t *testing.T) {
	t.Parallel()
	l := started(t, local.Options{})
	status, answer := embed(t, l, 1500)
	if status != 400 || !strings.Contains(answer, `"code":"output_too_large"`) || !strings.Contains(answer, "8261632 bytes") ||
		!strings.Contains(answer, "fewer inputs") {
		t.Errorf("answered %d %.300s", status, answer)
	}
	_, metrics := call(t, l, http.MethodGet, "/metrics", "")
	var calls []string
	for line := range strings.Lines(metrics) {
		if strings.Contains(line, `code="output_too_large"`) && strings.Contains(line, "attempts") {
			calls = append(calls, line)
		}
	}
	if len(calls) != 1 || !strings.HasSuffix(calls[0], " 1\n") {
		t.Errorf("it was called so often: %q", calls)
	}
}
