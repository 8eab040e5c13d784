package ingest

import (
	"io"
	"net/http"
	"time"
)

// What is large may take as long as it moves: this much in this time, which is the pace of a bad line. By less it is cut off.
const (
	paceBytes = 256 << 10
	paceTime  = 30 * time.Second
)

const (
	// answerTime is how long the answer to what was read at its own pace may take to begin: it may wait for a result.
	answerTime = 90 * time.Second
	// writeTime is how long a caller has to read an answer, however late it began: a result of a megabyte on a bad line.
	writeTime = 60 * time.Second
)

// TakeTime lets the body come at its own pace, past the server's timeouts, which are for what is small. It is called before the
// body is read.
func (x *Exchange) TakeTime() {
	x.r.Body = &pacedBody{ReadCloser: x.r.Body, x: x, pace: pace{left: paceTime}}
}

// Large returns where an answer is written that the caller may take at its own pace.
func (x *Exchange) Large() io.Writer { return &pacedWriter{x: x, pace: pace{left: paceTime}} }

// AnswerIn lets the answer begin as late as after so long a time, and leaves time to write it then. A server's timeout for
// writing counts from when it has the request: without this, what was waited for longer is lost.
func (x *Exchange) AnswerIn(d time.Duration) {
	// Not every writer has deadlines, and where there are none, none has to be put off.
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(d + writeTime))
}

// pace is how something moves. Only the time counts in which the caller is waited for: not that of a store that is slow.
type pace struct {
	left  time.Duration // to come to paceBytes
	moved int           // since all of paceTime was left
}

// longest returns how long so many bytes may take.
func longest(bytes int64) time.Duration { return time.Duration(bytes/paceBytes+1) * paceTime }

// did takes note of what moved since began.
func (p *pace) did(n int, began time.Time) {
	p.left -= time.Since(began)
	if p.moved += n; p.moved >= paceBytes {
		p.moved, p.left = 0, paceTime
	}
}

// pacedBody is a body that comes at its own pace.
type pacedBody struct {
	io.ReadCloser
	pace

	x     *Exchange
	ended bool
}

// Read implements [io.Reader].
func (b *pacedBody) Read(buf []byte) (int, error) {
	began := time.Now()
	if !b.ended { // after its end the server reads on to see whether the caller is still there, with no deadline
		_ = http.NewResponseController(b.x.ResponseWriter).SetReadDeadline(began.Add(b.left))
		b.x.AnswerIn(b.left + answerTime)
	}
	n, err := b.ReadCloser.Read(buf)
	b.did(n, began)
	b.ended = b.ended || err != nil
	return n, err
}

// pacedWriter is an answer that is taken at its caller's pace.
type pacedWriter struct {
	pace

	x *Exchange
}

// Write implements [io.Writer].
func (w *pacedWriter) Write(buf []byte) (int, error) {
	began := time.Now()
	_ = http.NewResponseController(w.x.ResponseWriter).SetWriteDeadline(began.Add(w.left))
	n, err := w.x.Write(buf)
	w.did(n, began)
	return n, err
}
