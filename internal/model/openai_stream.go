package model

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"

	"baton.dev/baton/events"
)

const (
	// overhead is how much larger a stream may be than what it comes to: a token of a few letters comes in some 250 bytes.
	overhead = 64
	// linger is how long the end of a response is waited for that has said all. It mostly is there already, and then the
	// connection can be used again.
	linger = 100 * time.Millisecond
)

var errTooLarge = errors.New("model: the answer is over the limit")

// stream returns the answer that comes in pieces as server-sent events, of which each is handed on.
func (x *exchange) stream(resp *http.Response) (Answer, error) {
	a := assembly{chat: x.op.input == "messages"}
	err := x.pieces(resp, &a)
	if x.ctx.Err() != nil {
		return Answer{}, x.ctx.Err()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Usage = decodeUsage(a.usage)
		return Answer{}, e
	}
	if err != nil && !a.finished() {
		return Answer{}, x.failure(err)
	}
	// All was said, even if the connection broke after it.
	answer, err := a.completion().answer(x.Request)
	if e, ok := errors.AsType[*Error](err); ok {
		return Answer{}, withStatus(e, resp)
	}
	return answer, err
}

// pieces puts together what comes until the stream says that it is over. It returns nil then, an [*Error] where the server
// says what went wrong or says what cannot be used, and else why the stream broke off.
func (x *exchange) pieces(resp *http.Response, a *assembly) error {
	body := &boundedReader{resp.Body, overhead * x.maxAnswer}
	for event, err := range sse.Read(body, &sse.ReadConfig{MaxEventSize: int(x.maxAnswer)}) {
		if errors.Is(err, errTooLarge) || errors.Is(err, bufio.ErrTooLong) {
			return withStatus(TooLarge(x.maxAnswer), resp)
		}
		if err != nil {
			return err
		}
		data := strings.TrimSpace(event.Data)
		if data == "[DONE]" {
			x.linger(resp.Body)
			return nil
		}
		if data == "" {
			continue // an id or a name alone, to keep the connection
		}
		if err := x.piece(resp, a, event.Type, validUTF8([]byte(data))); err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

// piece takes one event.
func (x *exchange) piece(resp *http.Response, a *assembly, name string, data []byte) error {
	var c chunk
	if json.Unmarshal(data, &c) != nil {
		// Something is lost, and the rest must not be taken for all.
		return withStatus(NewError(events.CodeUnusableOutput, errors.New("an event is no piece of a completion")), resp)
	}
	if name == "error" || c.Object == "error" || len(c.Error) > 0 && string(c.Error) != "null" {
		e := refusalWithin(resp, data, x.secrets, x.now())
		if len(a.choices) > 0 {
			// What was said before it may be charged for, and no status says that it is not.
			e.Status = 0
		}
		return e
	}
	text, has := a.add(c)
	if a.size > x.maxAnswer {
		return withStatus(TooLarge(x.maxAnswer), resp)
	}
	if has && x.Delta != nil {
		x.Delta(Delta{Text: text, Choices: c.Choices})
	}
	return nil
}

// linger reads to the end of a response, if that is near.
func (x *exchange) linger(body io.Reader) {
	stop := time.AfterFunc(linger, x.cancel)
	defer stop.Stop()
	_, _ = io.CopyN(io.Discard, body, 4<<10)
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
