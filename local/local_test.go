package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/local"
	"baton.dev/baton/local/receiver"
)

// started returns a chain on loopback, which ends with the test if it is not stopped before.
func started(t *testing.T, o local.Options) *local.Local {
	t.Helper()
	o.Listen, o.NATSListen = "127.0.0.1:0", "127.0.0.1:0"
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	l, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	return l
}

// startedWith is started with a configuration whose secrets are files.
func startedWith(t *testing.T, config string) *local.Local {
	t.Helper()
	return started(t, local.Options{Config: config})
}

// call makes one HTTP request of the chain and returns the status and the body.
func call(t *testing.T, l *local.Local, method, path, body string, header ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// accept sends a request that is accepted and returns its message id.
func accept(t *testing.T, l *local.Local, body string) string {
	t.Helper()
	status, answer := call(t, l, http.MethodPost, "/async-infer", body)
	var a struct {
		MessageID string `json:"message_id"`
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil || status != http.StatusAccepted || a.MessageID == "" {
		t.Fatalf("answered %d %s, %v", status, answer, err)
	}
	return a.MessageID
}

func TestARequestIsAnsweredAndItsResultDeliveredSigned(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"1s", "always"} {
		t.Run("sync "+sync, func(t *testing.T) {
			t.Parallel()
			s, err := local.ParseSync(sync)
			if err != nil {
				t.Fatal(err)
			}
			l := started(t, local.Options{Sync: s})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			delivered := l.Receiver.Watch(ctx)
			id := accept(t, l, fmt.Sprintf(`{"model_id":"llama-3-70b","prompt":"hello","callback_url":%q,"metadata":{"k":"<v>"}}`, l.URL+local.SinkPath))
			got := first(delivered)
			if !got.Verified || got.MessageID != id || got.Type != string(events.Completed) || got.WebhookID != id+"-completed-1" {
				t.Fatalf("delivered %+v", got)
			}
			status, body := call(t, l, http.MethodGet, "/v1/inferences/"+id, "")
			var r events.Result
			if err := json.Unmarshal([]byte(body), &r); err != nil || status != http.StatusOK {
				t.Fatalf("polled %d %s, %v", status, body, err)
			}
			if len(body) != got.Bytes || r.MessageID != id || r.Status != events.StatusCompleted || r.Output == "" || r.Target != "sim-llama" ||
				r.Attempts != 1 || r.Metadata["k"] != "<v>" || r.Usage == nil || r.Timings.CompletedAt.Before(r.Timings.AcceptedAt) {
				t.Errorf("polled %s", body)
			}
		})
	}
}

// first returns the first delivery; the zero one if there is none in time.
func first(delivered func(func(receiver.Delivery) bool)) (got receiver.Delivery) {
	for d := range delivered {
		return d
	}
	return got
}

func TestPreferWaitAnswersWithTheResult(t *testing.T) {
	t.Parallel()
	l := started(t, local.Options{})
	status, body := call(t, l, http.MethodPost, "/v1/inferences", `{"model_id":"llama-3-70b","prompt":"hello"}`, "Prefer", "wait=30")
	if status != http.StatusOK || !strings.Contains(body, `"status":"completed"`) {
		t.Errorf("answered %d %s", status, body)
	}
}

func TestADirectoryGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := started(t, local.Options{Data: dir})
	request := fmt.Sprintf(`{"request_id":%q,"model_id":"llama-3-70b","prompt":"hello"}`, uuid.NewString())
	id := accept(t, l, request)
	_, body := call(t, l, http.MethodGet, "/v1/inferences/"+id+"?wait=30s", "")
	key := l.Key
	l.Stop()

	l = started(t, local.Options{Data: dir})
	if l.Key != key {
		t.Error("the key is another one")
	}
	if _, again := call(t, l, http.MethodGet, "/v1/inferences/"+id, ""); again != body || !strings.Contains(body, `"completed"`) {
		t.Errorf("polled %s, and before the restart %s", again, body)
	}
	if again := accept(t, l, request); again != id {
		t.Errorf("the same request is now the message %s, not %s", again, id)
	}
}

// slow is a model that takes half a minute, one call at a time, so that what waits behind a call waits long.
const slow = "{name: slow, api: simulated, concurrency: 1, simulate: {p50: 30s, p99: 30s}}"

func TestACancelTellsWhatItDid(t *testing.T) {
	t.Parallel()
	path, key, _ := writeConfig(t, t.TempDir(), slow)
	l := started(t, local.Options{Config: path})
	l.Key = key
	running := accept(t, l, `{"model_id":"m","prompt":"takes long"}`)
	for {
		if _, body := call(t, l, http.MethodGet, "/v1/inferences/"+running+"?wait=1s", ""); strings.Contains(body, `"running"`) {
			break
		}
	}
	waiting := accept(t, l, `{"model_id":"m","prompt":"waits"}`)
	for _, step := range []struct{ method, id, want string }{
		{http.MethodDelete, running, `"status":"running"`},
		{http.MethodDelete, waiting, `"status":"canceled"`},
		{http.MethodDelete, waiting, `"status":"canceled"`},
		{http.MethodGet, waiting, `"status":"canceled"`},
	} {
		if status, body := call(t, l, step.method, "/v1/inferences/"+step.id, ""); status != http.StatusOK || !strings.Contains(body, step.want) {
			t.Errorf("%s of %s: %d %s, want %s", step.method, step.id, status, body, step.want)
		}
	}
}

func TestAReloadedConfigurationServesItsNewModel(t *testing.T) {
	t.Parallel()
	path, key, _ := writeConfig(t, t.TempDir(), "{name: one, api: simulated, simulate: {p50: 1ms, p99: 1ms}}")
	l := started(t, local.Options{Config: path})
	l.Key = key
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Replace(old, []byte("models:\n"), []byte("models:\n  another: {targets: [{name: two, api: simulated, simulate: {p50: 1ms, p99: 1ms}}]}\n"), 1)
	if err := os.WriteFile(path+".new", more, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	for {
		status, body := call(t, l, http.MethodPost, "/v1/inferences", `{"model_id":"another","prompt":"hello"}`, "Prefer", "wait=60")
		if status == http.StatusOK {
			if !strings.Contains(body, `"target":"two"`) {
				t.Errorf("answered %s", body)
			}
			return
		}
		if status != http.StatusUnprocessableEntity || t.Context().Err() != nil {
			t.Fatalf("answered %d %s", status, body)
		}
		<-time.After(50 * time.Millisecond) // the file is looked at every now and then
	}
}

func TestStartSaysWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	l := started(t, local.Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("models: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		options local.Options
		want    string
	}{
		"a taken address":          {local.Options{Listen: strings.TrimPrefix(l.URL, "http://"), NATSListen: "127.0.0.1:0"}, "listen on"},
		"a file for a directory":   {local.Options{Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Data: file}, "data directory"},
		"a faulty configuration":   {local.Options{Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Config: file}, "file:1"},
		"a directory in use":       {local.Options{Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Data: l.Data}, "in use by process"},
		"a redis URL that is none": {local.Options{Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Redis: "127.0.0.1"}, "redis URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.options.Data == "" {
				tc.options.Data = t.TempDir()
			}
			if l, err := local.Start(t.Context(), tc.options); err == nil || !strings.Contains(err.Error(), tc.want) {
				if l != nil {
					l.Stop()
				}
				t.Errorf("Start: %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestStopAnswersWhoWaitsAndKeepsWhatIsNotDone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, key, _ := writeConfig(t, t.TempDir(), "{name: slow, api: simulated, concurrency: 1, simulate: {p50: 5s, p99: 5s}}")
	l := started(t, local.Options{Config: path, Data: dir})
	l.Key = key
	id := accept(t, l, `{"model_id":"m","prompt":"takes long"}`)
	answered := make(chan string)
	for _, wait := range []func() (int, string){
		func() (int, string) { return call(t, l, http.MethodGet, "/v1/inferences/"+id+"?wait=50s", "") },
		func() (int, string) {
			return call(t, l, http.MethodPost, "/v1/inferences", `{"model_id":"m","prompt":"waits"}`, "Prefer", "wait=50")
		},
	} {
		go func() {
			status, body := wait()
			answered <- fmt.Sprint(status, " ", body)
		}()
	}
	for { // both wait when the second is accepted, and the first has begun
		_, body := call(t, l, http.MethodGet, "/metrics", "")
		if strings.Contains(body, `code="202"`) && strings.Contains(body, `baton_hop_settled_total{hop="schedule",outcome="done",reason=""} 2`) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(body)
		}
	}
	go l.Stop()
	for range 2 {
		if got := <-answered; !strings.HasPrefix(got, "200") && !strings.HasPrefix(got, "202") || !strings.Contains(got, "message_id") {
			t.Errorf("answered %s", got)
		}
	}
}
