package lambdatest

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Acceptor is an SQS endpoint that accepts whatever is sent to it and hands nothing out. It keeps what was asked of it.
type Acceptor struct {
	URL string // of the endpoint

	mu      sync.Mutex
	sent    []Sent
	changes []Change
	refuse  func(body string) bool
}

// Sent is a message that was sent to the queue with the URL.
type Sent struct{ Queue, Body string }

// Change is a change of the visibility of a message that was received with the receipt.
type Change struct {
	Queue, Receipt string
	Seconds        int
}

// Accept returns an acceptor that lives until the test ends.
func Accept(t testing.TB) *Acceptor {
	t.Helper()
	a := &Acceptor{}
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Refuse makes it refuse to store the messages that which is true of; nil refuses none.
func (a *Acceptor) Refuse(which func(body string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = which
}

// Sent returns the messages that it stored.
func (a *Acceptor) Sent() []Sent {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Sent(nil), a.sent...)
}

// Changes returns the changes of visibility that were asked for.
func (a *Acceptor) Changes() []Change {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Change(nil), a.changes...)
}

// serve speaks as much of SQS's JSON protocol as senders need.
func (a *Acceptor) serve(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL, MessageBody, ReceiptHandle string
		VisibilityTimeout                    int
		Entries                              []struct{ ID, MessageBody string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	answer := map[string]any{}
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch action {
	case "SendMessage":
		if a.refuse != nil && a.refuse(in.MessageBody) {
			refused(w)
			return
		}
		answer = a.store(in.QueueURL, in.MessageBody)
	case "SendMessageBatch":
		var done, failed []map[string]any
		for _, e := range in.Entries {
			if a.refuse != nil && a.refuse(e.MessageBody) {
				failed = append(failed, map[string]any{"Id": e.ID, "Code": "Refused", "SenderFault": true})
				continue
			}
			stored := a.store(in.QueueURL, e.MessageBody)
			stored["Id"] = e.ID
			done = append(done, stored)
		}
		answer["Successful"], answer["Failed"] = done, failed
	case "ChangeMessageVisibility":
		a.changes = append(a.changes, Change{in.QueueURL, in.ReceiptHandle, in.VisibilityTimeout})
	default:
		refused(w)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

// store keeps the message. The caller holds the lock.
func (a *Acceptor) store(queue, body string) map[string]any {
	a.sent = append(a.sent, Sent{queue, body})
	sum := md5.Sum([]byte(body))
	return map[string]any{"MessageId": strconv.Itoa(len(a.sent)), "MD5OfMessageBody": hex.EncodeToString(sum[:])}
}

func refused(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Errortype", "AccessDenied")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"__type":"AccessDenied","message":"refused"}`))
}
