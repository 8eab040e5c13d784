package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/tokens"
)

// resultID is the id of the last event of a stream.
const resultID = "result"

const (
	// keepAlive is how long a stream is silent at most: shorter than proxies keep an idle connection, which is 30 seconds or
	// more. The HTML Standard advises it, too.
	keepAlive = 15 * time.Second
	// slowest is how long a write waits for a caller that does not read. It is longer than keepAlive, so that it never passes
	// while nothing is written.
	slowest = 30 * time.Second
	// reconnect is after how many milliseconds a browser comes again, and at once where the answer is held back.
	reconnect, reconnectAtOnce = 1000, 50
)

// eventStream writes server-sent events. It is safe for concurrent use.
type eventStream struct {
	ctx      context.Context //nolint:containedctx // it is of the stream, and done when the caller is gone or too slow
	cancel   context.CancelFunc
	out      http.ResponseWriter
	control  *http.ResponseController
	heldBack bool   // the answer goes out only when it is whole
	begun    []byte // what is said of the request when a piece shows that it runs

	mu     sync.Mutex
	last   tokens.ID // of the last piece that the caller had
	status events.Status
	idle   *time.Timer // nil once the stream is closed
	buf    bytes.Buffer
}

// openEventStream begins the answer, to a caller that had the piece of the id last. It must be closed.
func openEventStream(ctx context.Context, out http.ResponseWriter, after tokens.ID) *eventStream {
	h := out.Header()
	h.Set("Content-Type", eventStreamType)
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h.Set("X-Accel-Buffering", "no") // or nginx collects events
	out.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithCancel(ctx)
	st := &eventStream{ctx: ctx, cancel: cancel, out: out, control: http.NewResponseController(out), last: after}
	st.extend()
	st.heldBack = errors.Is(st.control.Flush(), http.ErrNotSupported)
	st.mu.Lock() // the timer's function may come before it is kept
	defer st.mu.Unlock()
	st.idle = time.AfterFunc(keepAlive, func() { st.comment("keep-alive") })
	return st
}

// begin says after what time a caller that is cut off is to come again.
func (st *eventStream) begin() {
	st.mu.Lock()
	defer st.mu.Unlock()
	after := reconnect
	if st.heldBack {
		after = reconnectAtOnce
	}
	st.buf.WriteString("retry: " + strconv.Itoa(after) + "\n\n")
	st.send()
}

// stands says where the request stands, if the caller has not been told.
func (st *eventStream) stands(status events.Status, report []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.changed(status, report) {
		st.send()
	}
}

// changed adds where the request stands to what is sent next, unless the caller has been told.
func (st *eventStream) changed(status events.Status, report []byte) bool {
	if status == st.status || status == events.StatusQueued && st.status == events.StatusRunning { // it looked before
		return false
	}
	st.status = status
	st.event("status", "", report)
	return true
}

// delta is what is said of a piece.
type delta struct {
	Text    string          `json:"text"`
	Choices json.RawMessage `json:"choices,omitempty"`
}

// restart is what is said when what the caller had is void.
type restart struct {
	Attempt int `json:"attempt"`
}

// piece sends a piece of the answer.
func (st *eventStream) piece(p tokens.Piece) {
	data, err := json.Marshal(delta{p.Text, p.Choices}) // which leaves no line feed in it
	if err != nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.changed(events.StatusRunning, st.begun)
	if st.last != (tokens.ID{}) && p.ID.Supersedes(st.last) {
		st.event("restart", "", encode(restart{p.ID.Attempt}))
	}
	st.last = p.ID
	st.event("delta", p.ID.String(), data)
	st.send()
}

// result sends the result, the last event.
func (st *eventStream) result(body []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.event("result", resultID, body)
	st.send()
}

// comment sends what no program reads.
func (st *eventStream) comment(text string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.buf.WriteString(": " + text + "\n\n")
	st.send()
}

// event adds an event to what is sent next. A line feed in its data, but for one at its end, begins another line of data.
func (st *eventStream) event(name, id string, data []byte) {
	st.buf.WriteString("event: " + name + "\n")
	if id != "" {
		st.buf.WriteString("id: " + id + "\n")
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		st.buf.WriteString("data: ")
		st.buf.Write(line)
		st.buf.WriteByte('\n')
	}
	st.buf.WriteByte('\n')
}

// send writes what was added. A caller that is gone or does not read ends the stream.
func (st *eventStream) send() {
	defer st.buf.Reset()
	if st.idle == nil || st.ctx.Err() != nil {
		return
	}
	st.idle.Reset(keepAlive)
	st.extend()
	_, err := st.out.Write(st.buf.Bytes())
	if err == nil && !st.heldBack {
		err = st.control.Flush()
	}
	if err != nil {
		st.cancel()
	}
}

// extend gives the next write its time, whatever the server allows an answer as a whole. Not all writers have a deadline.
func (st *eventStream) extend() { _ = st.control.SetWriteDeadline(time.Now().Add(slowest)) }

// close ends the stream: nothing is written after it has returned.
func (st *eventStream) close() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.idle.Stop()
	st.idle = nil
	st.cancel()
}
