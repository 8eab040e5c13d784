package webhook_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"baton.dev/baton/internal/webhook"
)

// The example of the reference libraries' tests (libraries/go/webhook_test.go, TestWebhookSign).
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func symmetric(fill byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

func private(fill byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{fill}, ed25519.SeedSize))
}

func serialize(prefix string, raw []byte) string {
	return prefix + base64.StdEncoding.EncodeToString(raw)
}

func public(k ed25519.PrivateKey) string { return serialize("whpk_", k[ed25519.SeedSize:]) }

func newSigner(t testing.TB, secrets ...string) *webhook.Signer {
	t.Helper()
	s, err := webhook.NewSigner(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB, secrets ...string) *webhook.Verifier {
	t.Helper()
	v, err := webhook.NewVerifier(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(t testing.TB, s *webhook.Signer, id string, at time.Time, body string) http.Header {
	t.Helper()
	h := http.Header{}
	if err := s.Sign(h, id, at, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTheReferenceExampleIsSignedAsPublished(t *testing.T) {
	t.Parallel()
	h := sign(t, newSigner(t, vectorSecret), vectorID, vectorTime, vectorBody)
	for name, want := range map[string]string{
		"webhook-id": vectorID, "webhook-timestamp": "1614265330", "webhook-signature": vectorSignature,
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if err := newVerifier(t, vectorSecret).Verify(h, []byte(vectorBody), vectorTime); err != nil {
		t.Error(err)
	}
}

func TestTheReferenceLibraryVerifiesWhatIsSignedHere(t *testing.T) {
	t.Parallel()
	h := sign(t, newSigner(t, symmetric(1), symmetric(2)), "m-completed-1", time.Now(), vectorBody)
	for _, secret := range []string{symmetric(1), symmetric(2)} {
		library, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := library.Verify([]byte(vectorBody), h); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatTheReferenceLibrarySignsIsVerifiedHere(t *testing.T) {
	t.Parallel()
	library, err := standardwebhooks.NewWebhook(symmetric(1))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := library.Sign(vectorID, vectorTime, []byte(vectorBody))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", vectorID)
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", signature)
	if err := newVerifier(t, symmetric(2), symmetric(1)).Verify(h, []byte(vectorBody), vectorTime); err != nil {
		t.Error(err)
	}
}

func TestDuringRotationEachSecretVerifies(t *testing.T) {
	t.Parallel()
	key := private(7)
	h := sign(t, newSigner(t, symmetric(1), serialize("whsk_", key.Seed()), symmetric(2)), "id", vectorTime, vectorBody)
	var versions []string
	for s := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, _, _ := strings.Cut(s, ",")
		versions = append(versions, version)
	}
	if got := strings.Join(versions, " "); got != "v1 v1a v1" {
		t.Errorf("the signatures are of versions %q, want one of each secret in order", got)
	}
	for _, secret := range []string{symmetric(1), symmetric(2), public(key), serialize("whsk_", key)} {
		if err := newVerifier(t, secret).Verify(h, []byte(vectorBody), vectorTime); err != nil {
			t.Error(err)
		}
	}
	for _, secret := range []string{symmetric(3), public(private(8))} {
		if err := newVerifier(t, secret).Verify(h, []byte(vectorBody), vectorTime); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("got %v from a secret that did not sign", err)
		}
	}
}

func TestV1aIsEd25519OverTheSignedContent(t *testing.T) {
	t.Parallel()
	key := private(7)
	h := sign(t, newSigner(t, serialize("whsk_", key)), vectorID, vectorTime, vectorBody)
	encoded, ok := strings.CutPrefix(h.Get("webhook-signature"), "v1a,")
	if !ok {
		t.Fatalf("got %q", h.Get("webhook-signature"))
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte(vectorID + ".1614265330." + vectorBody)
	if !ed25519.Verify(ed25519.PublicKey(key[ed25519.SeedSize:]), content, raw) {
		t.Error("the signature is not over id.timestamp.body")
	}
}

func TestAnythingChangedIsNotVerified(t *testing.T) {
	t.Parallel()
	key := private(7)
	for scheme, secrets := range map[string][2]string{
		"v1":  {symmetric(1), symmetric(1)},
		"v1a": {serialize("whsk_", key), public(key)},
	} {
		signer, verifier := newSigner(t, secrets[0]), newVerifier(t, secrets[1])
		for _, tc := range []struct {
			name   string
			change func(h http.Header, body *string)
			want   error
		}{
			{"nothing", func(http.Header, *string) {}, nil},
			{"the body", func(_ http.Header, b *string) { *b += " " }, webhook.ErrSignature},
			{"the id", func(h http.Header, _ *string) { h.Set("webhook-id", "other") }, webhook.ErrSignature},
			{"the time", func(h http.Header, _ *string) { h.Set("webhook-timestamp", "1614265331") }, webhook.ErrSignature},
			{"the time's form", func(h http.Header, _ *string) { h.Set("webhook-timestamp", "+1614265330") }, webhook.ErrHeaders},
			{"no time", func(h http.Header, _ *string) { h.Del("webhook-timestamp") }, webhook.ErrHeaders},
			{"no id", func(h http.Header, _ *string) { h.Del("webhook-id") }, webhook.ErrHeaders},
			{"an id with a dot", func(h http.Header, _ *string) { h.Set("webhook-id", "a.b") }, webhook.ErrHeaders},
			{"no signature", func(h http.Header, _ *string) { h.Del("webhook-signature") }, webhook.ErrHeaders},
			{"a signature of another version", func(h http.Header, _ *string) {
				_, encoded, _ := strings.Cut(h.Get("webhook-signature"), ",")
				h.Set("webhook-signature", "v2,"+encoded)
			}, webhook.ErrSignature},
			{"a signature that is cut", func(h http.Header, _ *string) {
				s := h.Get("webhook-signature")
				h.Set("webhook-signature", s[:len(s)-4])
			}, webhook.ErrSignature},
			{"a stranger's signature before it", func(h http.Header, _ *string) {
				h.Set("webhook-signature", "v1,AAAA v1a,AAAA v9,x "+h.Get("webhook-signature"))
			}, nil},
			{"too many signatures", func(h http.Header, _ *string) {
				h.Set("webhook-signature", strings.Repeat("v1,AAAA ", 16)+h.Get("webhook-signature"))
			}, webhook.ErrHeaders},
		} {
			t.Run(scheme+": "+tc.name, func(t *testing.T) {
				t.Parallel()
				h, body := sign(t, signer, vectorID, vectorTime, vectorBody), vectorBody
				tc.change(h, &body)
				if err := verifier.Verify(h, []byte(body), vectorTime); !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			})
		}
	}
}

func TestATimestampIsGoodForTheToleranceEitherWay(t *testing.T) {
	t.Parallel()
	h := sign(t, newSigner(t, symmetric(1)), "id", vectorTime, vectorBody)
	v := newVerifier(t, symmetric(1))
	for d, want := range map[time.Duration]error{
		webhook.Tolerance: nil, -webhook.Tolerance: nil,
		webhook.Tolerance + time.Second:  webhook.ErrTimestamp,
		-webhook.Tolerance - time.Second: webhook.ErrTimestamp,
	} {
		if err := v.Verify(h, []byte(vectorBody), vectorTime.Add(d)); !errors.Is(err, want) {
			t.Errorf("%v off: got %v, want %v", d, err, want)
		}
	}
}

func TestABadSecretIsNamedByItsPositionAndNotShown(t *testing.T) {
	t.Parallel()
	key := private(7)
	swapped := append(key.Seed(), private(8)[ed25519.SeedSize:]...)
	for _, tc := range []struct{ name, secret string }{
		{"no prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		{"another prefix", "whxx_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		{"empty", ""},
		{"only a prefix", "whsec_"},
		{"not base64", "whsec_hunter2hunter2!hunter2hunter2"},
		{"under 24 bytes", serialize("whsec_", bytes.Repeat([]byte("s"), 23))},
		{"over 64 bytes", serialize("whsec_", bytes.Repeat([]byte("s"), 65))},
		{"a private key of a wrong length", serialize("whsk_", bytes.Repeat([]byte("s"), 33))},
		{"a private key with another's public half", serialize("whsk_", swapped)},
		{"a public key of a wrong length", serialize("whpk_", bytes.Repeat([]byte("s"), 31))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := webhook.NewSigner([]string{symmetric(1), tc.secret})
			if err == nil || !strings.Contains(err.Error(), "secret 2") {
				t.Fatalf("got %v, want an error about secret 2", err)
			}
			if _, encoded, _ := strings.Cut(tc.secret, "_"); encoded != "" && strings.Contains(err.Error(), encoded) {
				t.Errorf("%v shows the secret", err)
			}
			if _, err := webhook.NewVerifier([]string{symmetric(1), tc.secret}); err == nil {
				t.Error("a verifier was made of it")
			}
		})
	}
	t.Run("a public key cannot sign", func(t *testing.T) {
		t.Parallel()
		if _, err := webhook.NewSigner([]string{public(key)}); err == nil {
			t.Error("a signer was made of it")
		}
	})
	t.Run("none at all", func(t *testing.T) {
		t.Parallel()
		if _, err := webhook.NewSigner(nil); err == nil {
			t.Error("a signer was made of nothing")
		}
		if _, err := webhook.NewVerifier(nil); err == nil {
			t.Error("a verifier was made of nothing")
		}
	})
	t.Run("a line break behind it is not part of it", func(t *testing.T) {
		t.Parallel()
		h := sign(t, newSigner(t, vectorSecret+"\n"), vectorID, vectorTime, vectorBody)
		if got := h.Get("webhook-signature"); got != vectorSignature {
			t.Errorf("got %q", got)
		}
	})
}

func TestAnIDThatCouldBeMisreadIsNotSigned(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a.1614265330"} {
		if err := newSigner(t, symmetric(1)).Sign(http.Header{}, id, vectorTime, nil); err == nil {
			t.Errorf("id %q was signed", id)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := private(7)
	signer := newSigner(f, vectorSecret, serialize("whsk_", key))
	verifier := newVerifier(f, vectorSecret, public(key))
	good := sign(f, signer, vectorID, vectorTime, vectorBody)
	f.Add(vectorID, "1614265330", good.Get("webhook-signature"), []byte(vectorBody))
	f.Add(vectorID, "1614265330", vectorSignature, []byte(vectorBody))
	f.Add("", "-1", "v1,", []byte{})
	f.Add("a.b", "99999999999999999999", "v1a,AAAA  v1a, ,", []byte("x"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if verifier.Verify(h, body, vectorTime) != nil {
			return
		}
		// Nobody has the secrets: what is verified was signed here.
		if id != vectorID || timestamp != "1614265330" || string(body) != vectorBody {
			t.Fatalf("verified what was not signed: %q %q %q %q", id, timestamp, signature, body)
		}
	})
}

func ExampleSigner_Sign() {
	signer, err := webhook.NewSigner([]string{vectorSecret})
	if err != nil {
		panic(err)
	}
	h := http.Header{}
	if err := signer.Sign(h, vectorID, vectorTime, []byte(vectorBody)); err != nil {
		panic(err)
	}
	fmt.Println(h.Get("webhook-timestamp"), h.Get("webhook-signature"))
	// Output: 1614265330 v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
}

func BenchmarkSign(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1500)
	for name, secrets := range map[string][]string{
		"v1":     {symmetric(1)},
		"v1+v1a": {symmetric(1), serialize("whsk_", private(7))},
	} {
		b.Run(name, func(b *testing.B) {
			signer, h := newSigner(b, secrets...), http.Header{}
			b.ReportAllocs()
			for b.Loop() {
				if err := signer.Sign(h, vectorID, vectorTime, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
