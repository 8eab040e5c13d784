package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/results/kvcells"
)

// link is the link to the hub: the server in this process that holds it, and what that has said of it. It is the server's log,
// and hands it on for debugging: while the hub cannot be reached the server says so several times a second.
type link struct {
	server *server.Server
	log    *slog.Logger

	mu   sync.Mutex
	said string // what went wrong last
	at   time.Time
}

// recent is how long what the server has said of the link counts: it tries more often than that.
const recent = 5 * time.Second

// wrong says in words why the hub's chain could not be opened, of which err is the error.
func (l *link) wrong(err error) string {
	l.mu.Lock()
	said, at := l.said, l.at
	l.mu.Unlock()
	switch {
	case said != "" && time.Since(at) < recent:
		return "no link to the hub: " + inWords(said)
	case l.server.NumLeafNodes() == 0:
		return "no link to the hub: it has not answered"
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return "there is a link to the hub, and no chain has run there yet"
	case errors.Is(err, kvcells.ErrNotWritable), errors.Is(err, nats.ErrNoResponders), errors.Is(err, context.DeadlineExceeded):
		return "there is a link to the hub, which keeps its JetStream to itself: it must let it through, " +
			`by default_js_domain: {ACCOUNT: ""} beside its leafnodes`
	default:
		return "there is a link to the hub, and its chain cannot be opened: " + err.Error()
	}
}

// inWords returns what the server says of a link that it could not make, in words that say what to do. It names hosts, and shows
// no credential.
func inWords(said string) string {
	for _, w := range []struct{ part, words string }{
		{"connection refused", "connection refused: nothing listens there"},
		{"no such host", "its name is not known here"},
		{"no route to host", "no route leads to it"},
		{"i/o timeout", "it does not answer: a firewall may be between"},
		{"wrong port", "not a leaf node listener: give the address of its leafnodes, not that of its clients"},
		{"authentication", "authorization: the hub does not accept the credentials, or none were given"},
		{"authorization", "authorization: the hub does not accept the credentials, or none were given"},
		{"x509:", "its certificate is not accepted: give its authorities"},
		{"first record does not look like a TLS handshake", "it does not speak TLS: give its URL as nats-leaf://"},
	} {
		if strings.Contains(strings.ToLower(said), strings.ToLower(w.part)) {
			return w.words
		}
	}
	return said
}

func (l *link) Noticef(format string, v ...any) { l.say(format, v) }
func (l *link) Debugf(format string, v ...any)  { l.say(format, v) }
func (l *link) Tracef(format string, v ...any)  { l.say(format, v) }
func (l *link) Warnf(format string, v ...any)   { l.say(format, v) }
func (l *link) Fatalf(format string, v ...any)  { l.keep(format, v) }
func (l *link) Errorf(format string, v ...any)  { l.keep(format, v) }

func (l *link) say(format string, v []any) {
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "nats server", slog.String("said", fmt.Sprintf(format, v...)))
}

func (l *link) keep(format string, v []any) {
	l.say(format, v)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said, l.at = fmt.Sprintf(format, v...), time.Now()
}
