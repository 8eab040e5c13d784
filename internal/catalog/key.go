package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

// secretBytes is how much randomness a key or secret holds: 256 bits, beyond any search.
const secretBytes = 32

// NewKey makes a tenant's key, baton_ and 43 characters, from 32 bytes of random, and its hash as the file has it:
// sha256: and 64 hex digits. random is [crypto/rand.Reader] but in tests.
func NewKey(random io.Reader) (key, hash string, err error) {
	b, err := randomBytes(random)
	if err != nil {
		return "", "", fmt.Errorf("catalog: make key: %w", err)
	}
	key = "baton_" + base64.RawURLEncoding.EncodeToString(b)
	return key, HashKey(key), nil
}

// HashKey returns the hash of a key as the file has it.
func HashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// hashPrefix names the hash of a tenant's keys.
const hashPrefix = "sha256:"

// NewWebhookSecret makes a symmetric secret of Standard Webhooks, whsec_ and base64, from 32 bytes of random.
func NewWebhookSecret(random io.Reader) (string, error) {
	b, err := randomBytes(random)
	if err != nil {
		return "", fmt.Errorf("catalog: make webhook secret: %w", err)
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(b), nil
}

func randomBytes(random io.Reader) ([]byte, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("read random: %w", err)
	}
	return b, nil
}
