package lambdatest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// refusing is a proxy to an SQS server, which refuses to store events of the marked messages for longer than an invocation
// lasts, and lets everything else pass, also what is sent in the same request.
type refusing struct {
	url  string
	next http.Handler

	mu     sync.Mutex
	marked map[string]time.Time // by message id, when it was refused first; zero: not yet
}

func newRefusing(t *testing.T, root string) *refusing {
	t.Helper()
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	q := &refusing{
		next:   &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }},
		marked: map[string]time.Time{},
	}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	q.url = server.URL
	return q
}

// mark marks the message.
func (q *refusing) mark(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.marked[id] = time.Time{}
}

// refuses reports whether the entry is of a message that is marked and not yet refused for long enough.
func (q *refusing) refuses(entry []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, first := range q.marked {
		if !bytes.Contains(entry, []byte(id)) {
			continue
		}
		if first.IsZero() {
			first = time.Now()
			q.marked[id] = first
		}
		return time.Since(first) < functionTimeout
	}
	return false
}

type sendBatch struct {
	QueueURL string
	Entries  []json.RawMessage
}

type sentBatch struct {
	Successful []json.RawMessage
	Failed     []json.RawMessage
}

func (q *refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var in sendBatch
	var out sentBatch
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "SendMessageBatch") && json.Unmarshal(body, &in) == nil {
		var pass []json.RawMessage
		for _, e := range in.Entries {
			if q.refuses(e) {
				out.Failed = append(out.Failed, failed(e))
				continue
			}
			pass = append(pass, e)
		}
		in.Entries = pass
		if len(out.Failed) > 0 {
			body = encode(map[string]any{"QueueUrl": in.QueueURL, "Entries": pass})
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if len(out.Failed) == 0 {
		q.next.ServeHTTP(w, r)
		return
	}
	if len(in.Entries) > 0 {
		answer := httptest.NewRecorder()
		q.next.ServeHTTP(answer, r)
		var stored sentBatch
		if err := json.Unmarshal(answer.Body.Bytes(), &stored); err != nil {
			http.Error(w, "no answer", http.StatusBadGateway)
			return
		}
		out.Successful, out.Failed = stored.Successful, append(out.Failed, stored.Failed...)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_, _ = w.Write(encode(out))
}

func failed(entry json.RawMessage) json.RawMessage {
	var e struct{ ID string }
	if err := json.Unmarshal(entry, &e); err != nil {
		panic(err)
	}
	return encode(map[string]any{"Id": e.ID, "Code": "Refused", "SenderFault": true})
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
