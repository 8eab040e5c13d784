package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/local"
)

// TestABatchIsWorkedOffThoughItsProcessIsKilled uploads a file, has it worked off by a real process that is killed twice
// meanwhile, and reads the answers: one for each line.
func TestABatchIsWorkedOffThoughItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), crashPatience)
	defer cancel()
	dir := t.TempDir()
	config, key, _ := writeConfig(t, dir, "{name: sim, api: simulated, concurrency: 16, simulate: {p50: 20ms, p99: 60ms, error_rate: 0.05, seed: 7}}")
	address := freeAddress(t)
	up := func() *processUnderTest {
		return start(t, build(t, "baton"), nil, "baton is up",
			"up", "--listen", address, "--nats-listen", "127.0.0.1:0", "--config", config, "--data", filepath.Join(dir, "data"))
	}
	p := up()
	l := &local.Local{URL: "http://" + address, Key: key}

	const lines = 1000
	var file bytes.Buffer
	for i := range lines {
		model := "m"
		if i == 500 {
			model = "no such model"
		}
		fmt.Fprintf(&file, `{"custom_id":"line-%d","method":"POST","url":"/v1/chat/completions","body":{"model":%q,"messages":[{"role":"user","content":"line %d"}]}}`+"\n", i, model, i)
	}
	batch := createBatch(ctx, t, l, file.Bytes())
	kills := 0
	for !over(batch.Status) {
		if batch.Counts.Completed >= (kills+1)*lines/4 && kills < 2 {
			p.kill()
			p = up()
			kills++
		}
		pause(ctx, 50*time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("the batch is not over in time: %+v", batch)
		}
		get(ctx, t, l, "/v1/batches/"+batch.ID, &batch)
	}
	if batch.Status != "completed" || batch.Counts.Completed != lines-1 || batch.Counts.Failed != 1 || batch.Counts.Total != lines {
		t.Fatalf("the batch came to %+v", batch)
	}
	answers := map[string]int{}
	for line := range strings.Lines(content(ctx, t, l, batch.OutputFileID)) {
		var a struct {
			CustomID string `json:"custom_id"`
			Response struct {
				StatusCode int `json:"status_code"`
				Body       struct {
					Object  string `json:"object"`
					Choices []any  `json:"choices"`
				} `json:"body"`
			} `json:"response"`
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if a.Response.StatusCode != http.StatusOK || a.Response.Body.Object != "chat.completion" || len(a.Response.Body.Choices) != 1 {
			t.Errorf("an answer is %s", line)
		}
		answers[a.CustomID]++
	}
	for i := range lines {
		if n := answers[fmt.Sprintf("line-%d", i)]; n != 1 && i != 500 {
			t.Errorf("line %d has %d answers", i, n)
		}
	}
	if errs := content(ctx, t, l, batch.ErrorFileID); !strings.Contains(errs, `"custom_id":"line-500"`) || strings.Count(errs, "\n") != 1 ||
		!strings.Contains(errs, `"status_code":404`) {
		t.Errorf("the errors are %s", errs)
	}
	t.Logf("%d lines, killed %d times", lines, kills)
}

// batchState is a batch as far as the tests read it.
type batchState struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Counts struct {
		Total     int `json:"total"`
		Completed int `json:"completed"`
		Failed    int `json:"failed"`
	} `json:"request_counts"`
	OutputFileID string          `json:"output_file_id"`
	ErrorFileID  string          `json:"error_file_id"`
	Errors       json.RawMessage `json:"errors"`
}

func over(status string) bool {
	return status == "completed" || status == "failed" || status == "cancelled" || status == "expired"
}

// createBatch uploads the file and makes a batch of it.
func createBatch(ctx context.Context, t *testing.T, l *local.Local, file []byte) (b batchState) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("purpose", "batch")
	part, err := w.CreateFormFile("file", "input.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(file)
	_ = w.Close()
	var uploaded struct {
		ID string `json:"id"`
	}
	exchange(ctx, t, l, http.MethodPost, "/v1/files", w.FormDataContentType(), &form, &uploaded)
	body := fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, uploaded.ID)
	exchange(ctx, t, l, http.MethodPost, "/v1/batches", "application/json", strings.NewReader(body), &b)
	return b
}

// get reads a JSON answer; while the chain is not there it leaves into as it is.
func get(ctx context.Context, t *testing.T, l *local.Local, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusServiceUnavailable {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, resp.StatusCode, answer)
	}
}

func content(ctx context.Context, t *testing.T, l *local.Local, fileID string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/v1/files/"+fileID+"/content", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("content of %q: %d %s, %v", fileID, resp.StatusCode, b, err)
	}
	return string(b)
}

// exchange makes a request that must be answered 200, and reads the answer.
func exchange(ctx context.Context, t *testing.T, l *local.Local, method, path, typ string, body io.Reader, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	req.Header.Set("Content-Type", typ)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, into); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
}
