// Package receiver receives callbacks for local runs and tests: it verifies their signatures, answers, and remembers what
// came. It keeps no body, only its digest.
//
//	POST     204 when the signature is verified, 401 otherwise
//	GET      what came, as JSON: counts, and the latest deliveries, newest first (?limit=N, 100 by default)
//	OPTIONS  200 to who asks whether it agrees to be called: it does, by anybody and at any rate (the web-hook handshake of
//	         CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", section 4)
//
// A callback URL can ask it to misbehave, so that a retry can be seen: ?status=503&retry_after=2 answers so whatever the
// signature, and ?hang=1 does not answer until the sender gives up.
package receiver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"baton.dev/baton/internal/webhook"
)

const (
	defaultKeep  = 10_000
	defaultLimit = 100
	// maxBody is far over any result, whose request is bounded to 256 KiB by default, and bounds what one POST can take.
	maxBody = 32 << 20
)

// Delivery is one callback that came. Unless it is verified, its words are the sender's claim.
type Delivery struct {
	WebhookID string    `json:"webhook_id"`
	Type      string    `json:"type"`       // ce-type
	MessageID string    `json:"message_id"` // ce-subject
	Bytes     int       `json:"bytes"`
	SHA256    string    `json:"sha256"` // of the body, in hex
	Verified  bool      `json:"verified"`
	Fault     string    `json:"fault,omitempty"` // why it is not verified
	Status    int       `json:"status"`          // what it was answered; 0: nothing, the sender gave up
	At        time.Time `json:"at"`
}

// Config is what a [Receiver] is made of.
type Config struct {
	// Verifier verifies signatures by the secrets of every tenant.
	Verifier *webhook.Verifier
	// Keep is how many deliveries are remembered, the latest; default 10,000.
	Keep int
}

// Receiver is an [http.Handler]. It is safe for concurrent use.
type Receiver struct {
	verifier *webhook.Verifier
	log      *deliveries
	now      func() time.Time
}

// New returns a receiver that nothing has come to.
func New(cfg Config) *Receiver {
	keep := cfg.Keep
	if keep <= 0 {
		keep = defaultKeep
	}
	return &Receiver{verifier: cfg.Verifier, log: newDeliveries(keep), now: time.Now}
}

// ServeHTTP implements [http.Handler].
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodPost:
		r.receive(w, req)
	case http.MethodGet, http.MethodHead:
		r.list(w, req)
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
		if req.Header.Get("Webhook-Request-Origin") != "" {
			w.Header().Set("Webhook-Allowed-Origin", "*")
			w.Header().Set("Webhook-Allowed-Rate", "*")
		}
		w.WriteHeader(http.StatusOK)
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	status, known := asked(req)
	if !known {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
		return // or the sender went away
	}
	digest := sha256.Sum256(body)
	d := Delivery{
		WebhookID: req.Header.Get("Webhook-Id"), Type: req.Header.Get("Ce-Type"), MessageID: req.Header.Get("Ce-Subject"),
		Bytes: len(body), SHA256: hex.EncodeToString(digest[:]), Status: status, At: r.now(),
	}
	if err := r.verifier.Verify(req.Header, body, d.At); err != nil {
		d.Fault = err.Error()
	} else {
		d.Verified = true
	}
	if req.URL.Query().Has("hang") {
		d.Status = 0
		r.log.add(d)
		<-req.Context().Done()
		return
	}
	if d.Status == 0 {
		d.Status = http.StatusNoContent
		if !d.Verified {
			d.Status = http.StatusUnauthorized
		}
	}
	r.log.add(d)
	if after := req.URL.Query().Get("retry_after"); after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(d.Status)
}

// asked returns the status that the URL asks for, 0 for none, and whether it is one that can be given.
func asked(req *http.Request) (status int, ok bool) {
	s := req.URL.Query().Get("status")
	if s == "" {
		return 0, true
	}
	status, err := strconv.Atoi(s)
	return status, err == nil && status >= 200 && status <= 599
}

func (r *Receiver) list(w http.ResponseWriter, req *http.Request) {
	limit := defaultLimit
	if s := req.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		limit = n
	}
	body, err := json.Marshal(struct {
		Counts
		Deliveries []Delivery `json:"deliveries"`
	}{r.log.counts(), r.log.latest(limit)})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
