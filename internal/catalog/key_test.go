package catalog

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestNewKeysAreOfTheirFormAndAllDifferent(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		key, hash, err := NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^baton_[A-Za-z0-9_-]{43}$`).MatchString(key) || seen[key] {
			t.Fatalf("key of %d characters", len(key))
		}
		if hash != HashKey(key) || !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(hash) {
			t.Fatalf("hash = %q", hash)
		}
		seen[key] = true
	}
	equal(t, "a known hash", HashKey("test"), "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
}

func TestNewWebhookSecretsAreOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	secret, err := NewWebhookSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if !strings.HasPrefix(secret, "whsec_") || err != nil || len(b) != 32 {
		t.Errorf("secret of %d bytes, %v", len(b), err)
	}
}

func TestTooLittleRandomIsAnError(t *testing.T) {
	t.Parallel()
	if _, _, err := NewKey(io.LimitReader(rand.Reader, 31)); err == nil {
		t.Error("a key was made of 31 bytes")
	}
	if _, err := NewWebhookSecret(io.LimitReader(rand.Reader, 31)); err == nil {
		t.Error("a secret was made of 31 bytes")
	}
}
