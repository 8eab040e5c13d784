package openai

import (
	"bytes"
	"net/http"
	"sync"
	"time"

	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

const (
	// keepAlive is how long a stream that has begun is silent at most: shorter than proxies keep an idle connection.
	keepAlive = 15 * time.Second
	// slowest is how long a write waits for a caller that does not read.
	slowest = 30 * time.Second
)

// eventWriter writes what a narrator tells as server-sent events. It is safe for concurrent use.
type eventWriter struct {
	c       *call
	n       narrator
	gone    func() // is called when nothing can be written any more
	control *http.ResponseController

	mu    sync.Mutex
	begun bool // the answer has
	idle  *time.Timer
	over  bool
	buf   bytes.Buffer
}

func newEventWriter(c *call, n narrator, gone func()) *eventWriter {
	return &eventWriter{c: c, n: n, gone: gone, control: http.NewResponseController(c.x)}
}

// begin begins the answer.
func (w *eventWriter) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.start()
	w.send(w.n.Begin())
}

// start writes the head of the answer, once.
func (w *eventWriter) start() {
	if w.begun {
		return
	}
	w.begun = true
	h := w.c.x.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // or nginx collects events
	w.c.heading()
	heading(w.c.x)
	w.c.x.WriteHeader(http.StatusOK)
	w.idle = time.AfterFunc(w.c.idle, w.comment)
}

// take writes what a piece says.
func (w *eventWriter) take(p tokens.Piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.n.Take(p)
	if len(told) == 0 || w.over {
		return
	}
	w.start()
	w.send(told)
}

// end writes what is left when the request has ended.
func (w *eventWriter) end(standing results.Standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	res, failed := w.c.result(standing)
	if failed != nil && !w.begun {
		w.c.fail(failed)
		return
	}
	w.start()
	if failed != nil && res.MessageID == "" {
		w.send(w.n.Break(failed)) // it cannot be read
		return
	}
	w.send(w.n.End(res))
}

// fail ends the answer with an error: by its status, if it has not begun.
func (w *eventWriter) fail(e *openaiapi.Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		w.c.fail(e)
		return
	}
	w.send(w.n.Break(e))
}

// comment writes what no program reads, to keep the connection awake.
func (w *eventWriter) comment() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.buf.WriteString(": keep-alive\n\n")
		w.send(nil)
	}
}

// add adds events to what is sent next.
func (w *eventWriter) add(told []openaiapi.Event) {
	for _, e := range told {
		if e.Name != "" {
			w.buf.WriteString("event: " + e.Name + "\n")
		}
		w.buf.WriteString("data: ")
		w.buf.Write(e.Data)
		w.buf.WriteString("\n\n")
	}
}

// send writes the events, after what was added. A caller that is gone or does not read ends the stream.
func (w *eventWriter) send(told []openaiapi.Event) {
	w.add(told)
	defer w.buf.Reset()
	if w.over || w.buf.Len() == 0 {
		return
	}
	w.idle.Reset(w.c.idle)
	_ = w.control.SetWriteDeadline(time.Now().Add(slowest)) // not all writers have one
	_, err := w.c.x.Write(w.buf.Bytes())
	if err == nil {
		_ = w.control.Flush() // where it is not supported, the answer goes out when it is whole
		return
	}
	w.over = true
	w.gone()
}

// close ends the answer: nothing is written after it has returned.
func (w *eventWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.idle != nil {
		w.idle.Stop()
	}
}
