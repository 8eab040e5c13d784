package oip

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/tmaxmax/go-sse"

	"baton.dev/baton/events"
)

// overhead is how much larger a stream may be than what it comes to: a token of a few letters comes in some 150 bytes.
const overhead = 64

var errTooLarge = errors.New("oip: the answer is over the limit")

// generated takes the responses of generate_stream, until the stream ends: the extension has no last word. A stream that is cut
// is told from one that ended by the framing of HTTP.
func (h *HTTP) generated(resp *http.Response, a *assembly, name string) error {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return withStatus(a.fail(events.CodeUnusableOutput, "the body is no stream of events"), resp)
	}
	body := &boundedReader{resp.Body, overhead * h.maxAnswer}
	for event, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: int(h.maxAnswer + around)}) {
		if errors.Is(err, errTooLarge) || errors.Is(err, bufio.ErrTooLong) {
			return withStatus(a.tooLarge(), resp)
		}
		if err != nil {
			return err
		}
		if event.Data == "" {
			continue
		}
		out, refused, err := decodeGenerated(validUTF8([]byte(event.Data)), name)
		switch {
		case err != nil:
			// Something is lost, and the rest must not be taken for all.
			return withStatus(a.fail(events.CodeUnusableOutput, "an event is no response of generate"), resp)
		case refused && a.begun:
			// What was said before it may be charged for, and no status says that it is not.
			return a.fail(events.CodeUnavailable, "the server sent an error in the stream")
		case refused:
			return withStatus(a.fail(events.CodeUnavailable, "the server sent an error in place of a stream"), resp)
		}
		if err := a.add(out); err != nil {
			return withStatus(err, resp)
		}
	}
	return nil
}

// boundedReader ends in errTooLarge after a number of bytes.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
