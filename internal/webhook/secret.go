package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The prefixes of serialized secrets.
const (
	symmetricPrefix = "whsec_"
	privatePrefix   = "whsk_"
	publicPrefix    = "whpk_"
)

// The bounds of a symmetric secret, in bytes: "at least 24 bytes (192 bits, 512 maximum)" in the specification's table.
const (
	minSecret = 24
	maxSecret = 64
)

// key is one parsed secret. Exactly one of mac, or public with perhaps private, is set.
type key struct {
	mac     *standardwebhooks.Webhook
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// parseKeys parses the secrets. An error says which secret is at fault by its position, from 1, and never what it is.
func parseKeys(secrets []string) ([]key, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhook: no secret")
	}
	keys := make([]key, 0, len(secrets))
	var faults []error
	for i, s := range secrets {
		k, err := parseKey(strings.TrimSpace(s))
		if err != nil {
			faults = append(faults, fmt.Errorf("webhook: secret %d %w", i+1, err))
		}
		keys = append(keys, k)
	}
	return keys, errors.Join(faults...)
}

func parseKey(secret string) (key, error) {
	prefix, encoded, ok := strings.Cut(secret, "_")
	prefix += "_"
	if !ok || (prefix != symmetricPrefix && prefix != privatePrefix && prefix != publicPrefix) {
		return key{}, errors.New("does not begin with whsec_, whsk_ or whpk_")
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return key{}, errors.New("is not base64 after its prefix")
	}
	switch prefix {
	case symmetricPrefix:
		return parseSymmetric(raw)
	case privatePrefix:
		return parsePrivate(raw)
	default:
		if len(raw) != ed25519.PublicKeySize {
			return key{}, fmt.Errorf("has %d bytes: want %d", len(raw), ed25519.PublicKeySize)
		}
		return key{public: raw}, nil
	}
}

func parseSymmetric(raw []byte) (key, error) {
	if len(raw) < minSecret || len(raw) > maxSecret {
		return key{}, fmt.Errorf("has %d bytes: want %d to %d", len(raw), minSecret, maxSecret)
	}
	mac, err := standardwebhooks.NewWebhookRaw(raw)
	if err != nil {
		return key{}, fmt.Errorf("is refused: %w", err)
	}
	return key{mac: mac}, nil
}

func parsePrivate(raw []byte) (key, error) {
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return key{}, fmt.Errorf("has %d bytes: want %d or %d", len(raw), ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	// Signing with a public half that is not the key's own gives the key away.
	if len(raw) == ed25519.PrivateKeySize && !private.Equal(ed25519.PrivateKey(raw)) {
		return key{}, errors.New("has a public half that is not its own")
	}
	return key{private: private, public: ed25519.PublicKey(private[ed25519.SeedSize:])}, nil
}

// CheckSecret says what is wrong with a secret, whsec_ or whsk_, without showing it; nil if it can sign.
func CheckSecret(secret string) error {
	_, err := NewSigner([]string{secret})
	return err
}
