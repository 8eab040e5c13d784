package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a message's timestamp may be from the verifier's clock, either way; the reference libraries have
// the same. It bounds how long a message that was overheard can be replayed.
const Tolerance = 5 * time.Minute

// maxSignatures bounds the signatures that are looked at in one header: far more than a rotation needs, and few enough that
// a header cannot buy much work.
const maxSignatures = 16

// Why a message is not verified.
var (
	ErrHeaders   = errors.New("webhook: a header is missing or malformed")
	ErrTimestamp = errors.New("webhook: the timestamp is too far from now")
	ErrSignature = errors.New("webhook: no signature is by a known secret")
)

// Verifier verifies messages by any of several secrets. It is immutable and safe for concurrent use.
type Verifier struct{ keys []key }

// NewVerifier returns a verifier for the secrets: whsec_, whpk_, and whsk_, of which it uses the public half. An error names
// every secret at fault by its position, from 1, and shows none.
func NewVerifier(secrets []string) (*Verifier, error) {
	keys, err := parseKeys(secrets)
	if err != nil {
		return nil, err
	}
	return &Verifier{keys}, nil
}

// Verify returns nil if one of the signatures is by one of the verifier's secrets, over this id, timestamp and body, and the
// timestamp is within [Tolerance] of now. Its errors are [ErrHeaders], [ErrTimestamp] and [ErrSignature], wrapped.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	id, timestamp := h.Get(headerID), h.Get(headerTimestamp)
	if !validID(id) {
		return fmt.Errorf("%w: webhook-id", ErrHeaders)
	}
	at, err := parseTimestamp(timestamp)
	if err != nil {
		return err
	}
	signatures, err := parseSignatures(h.Get(headerSignature))
	if err != nil {
		return err
	}
	if d := now.Sub(at); d > Tolerance || d < -Tolerance {
		return ErrTimestamp
	}
	for _, k := range v.keys {
		if k.signed(signatures, id, timestamp, at, body) {
			return nil
		}
	}
	return ErrSignature
}

// signed reports whether one of the signatures is the key's.
func (k key) signed(signatures []signature, id, timestamp string, at time.Time, body []byte) bool {
	if k.mac != nil {
		want, err := k.mac.Sign(id, at, body)
		if err != nil {
			return false
		}
		_, encoded, _ := strings.Cut(want, ",")
		for _, s := range signatures {
			if s.version == "v1" && hmac.Equal([]byte(s.encoded), []byte(encoded)) {
				return true
			}
		}
		return false
	}
	content := signedContent(id, timestamp, body)
	for _, s := range signatures {
		if s.version != "v1a" {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(s.encoded)
		if err == nil && len(raw) == ed25519.SignatureSize && ed25519.Verify(k.public, content, raw) {
			return true
		}
	}
	return false
}

// parseTimestamp parses whole seconds since 1970 in the one form that Sign writes, so that what is verified is what the
// header says.
func parseTimestamp(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return time.Time{}, fmt.Errorf("%w: webhook-timestamp", ErrHeaders)
	}
	return time.Unix(n, 0), nil
}

// signature is one entry of the signature header.
type signature struct{ version, encoded string }

// parseSignatures parses the signature header: entries "version,base64" with spaces between. Entries of versions that are
// not known are kept: a later version of the specification may add some.
func parseSignatures(header string) ([]signature, error) {
	var out []signature
	for entry := range strings.FieldsSeq(header) {
		if len(out) == maxSignatures {
			return nil, fmt.Errorf("%w: webhook-signature has more than %d signatures", ErrHeaders, maxSignatures)
		}
		version, encoded, ok := strings.Cut(entry, ",")
		if !ok || version == "" || encoded == "" {
			return nil, fmt.Errorf("%w: webhook-signature", ErrHeaders)
		}
		out = append(out, signature{version, encoded})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: webhook-signature", ErrHeaders)
	}
	return out, nil
}
