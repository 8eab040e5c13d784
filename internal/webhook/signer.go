package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers, as [http.Header] keeps them.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Signer signs with every one of a tenant's secrets. It is immutable and safe for concurrent use.
type Signer struct{ keys []key }

// NewSigner returns a signer for the secrets, whsec_ and whsk_. An error names every secret at fault by its position, from
// 1, and shows none.
func NewSigner(secrets []string) (*Signer, error) {
	keys, err := parseKeys(secrets)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		if k.mac == nil && k.private == nil {
			return nil, fmt.Errorf("webhook: secret %d is a public key, which cannot sign", i+1)
		}
	}
	return &Signer{keys}, nil
}

// Sign sets the three headers of a message on h: webhook-id, webhook-timestamp in whole seconds, and webhook-signature with
// a signature of each secret. The id must be the same each time the message is sent; it may not be empty or hold a '.',
// which is the separator of what is signed.
func (s *Signer) Sign(h http.Header, id string, at time.Time, body []byte) error {
	if !validID(id) {
		return fmt.Errorf("webhook: sign: message id %q is empty or has a '.'", id)
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []byte
	var content []byte // what is signed, made once and only for v1a: the library makes its own
	for i, k := range s.keys {
		if i > 0 {
			signatures = append(signatures, ' ')
		}
		if k.mac != nil {
			v1, err := k.mac.Sign(id, at, body)
			if err != nil {
				return fmt.Errorf("webhook: sign: %w", err)
			}
			signatures = append(signatures, v1...)
			continue
		}
		if content == nil {
			content = signedContent(id, timestamp, body)
		}
		signatures = append(signatures, "v1a,"...)
		signatures = base64.StdEncoding.AppendEncode(signatures, ed25519.Sign(k.private, content))
	}
	h[headerID] = []string{id}
	h[headerTimestamp] = []string{timestamp}
	h[headerSignature] = []string{string(signatures)}
	return nil
}

func validID(id string) bool { return id != "" && !strings.Contains(id, ".") }

func signedContent(id, timestamp string, body []byte) []byte {
	b := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	b = append(b, id...)
	b = append(b, '.')
	b = append(b, timestamp...)
	b = append(b, '.')
	return append(b, body...)
}
