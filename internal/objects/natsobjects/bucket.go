package natsobjects

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bucket is the stream of an object store.
type bucket struct {
	name       string
	stream     jetstream.Stream
	replicated bool
	listed     bool // it has an index; see index.go
}

func (b bucket) metaPrefix() string        { return "$O." + b.name + ".M." }
func (b bucket) chunks(nuid string) string { return "$O." + b.name + ".C." + nuid }

// meta returns the subject of the message that describes the object.
func (b bucket) meta(key string) string {
	return b.metaPrefix() + base64.URLEncoding.EncodeToString([]byte(key))
}

// keyOf returns the key of the object that a message with the subject describes.
func (b bucket) keyOf(subject string) (string, bool) {
	name, ok := strings.CutPrefix(subject, b.metaPrefix())
	key, err := base64.URLEncoding.DecodeString(name)
	return string(key), ok && err == nil
}

// question asks for one message of a stream.
type question struct {
	Seq     uint64 `json:"seq,omitempty"`
	NextFor string `json:"next_by_subj,omitempty"`
	LastFor string `json:"last_by_subj,omitempty"`
}

// message returns the message that is asked for, or [jetstream.ErrMsgNotFound]. Any copy of the stream may answer, which is
// quick, and one that is behind says that it has no such message: then the leader is asked.
func (b bucket) message(ctx context.Context, js jetstream.JetStream, q question) (*jetstream.RawStreamMsg, error) {
	var m *jetstream.RawStreamMsg
	var err error
	if q.LastFor != "" {
		m, err = b.stream.GetLastMsgForSubject(ctx, q.LastFor)
	} else {
		m, err = b.stream.GetMsg(ctx, q.Seq, jetstream.WithGetMsgSubject(q.NextFor))
	}
	if b.replicated && errors.Is(err, jetstream.ErrMsgNotFound) {
		return b.leaders(ctx, js, q)
	}
	return m, err
}

// askTimeout bounds a question to the leader; the client has the same for its own.
const askTimeout = 5 * time.Second

// leaders returns the message that is asked for, as the stream's leader has it. The client asks the leader only where the
// stream does not let others answer.
func (b bucket) leaders(ctx context.Context, js jetstream.JetStream, q question) (*jetstream.RawStreamMsg, error) {
	ask, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := js.Conn().RequestWithContext(ctx, apiPrefix(js.Options())+"STREAM.MSG.GET.OBJ_"+b.name, ask)
	if err != nil {
		return nil, err
	}
	var said struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Header  []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
			Time    time.Time `json:"time"`
		} `json:"message"`
	}
	switch err := json.Unmarshal(answer.Data, &said); {
	case err != nil:
		return nil, fmt.Errorf("the server's answer: %w", err)
	case said.Error != nil && said.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, jetstream.ErrMsgNotFound
	case said.Error != nil:
		return nil, said.Error
	case said.Message == nil:
		return nil, errors.New("the server's answer has no message")
	}
	m := &jetstream.RawStreamMsg{
		Subject: said.Message.Subject, Sequence: said.Message.Seq, Data: said.Message.Data, Time: said.Message.Time,
	}
	if len(said.Message.Header) > 0 {
		m.Header, err = nats.DecodeHeadersMsg(said.Message.Header)
	}
	return m, err
}

func apiPrefix(o jetstream.JetStreamOptions) string {
	switch {
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	default:
		return jetstream.DefaultAPIPrefix
	}
}
