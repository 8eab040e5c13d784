// Package webhook signs what is posted to receivers and verifies what they get, by the Standard Webhooks specification
// (www.standardwebhooks.com, spec/standard-webhooks.md).
//
// Signed is id + "." + timestamp + "." + body. Every active secret signs, so that a secret is replaced without a moment in
// which receivers and sender disagree:
//
//	whsec_  base64 of 24 to 64 random bytes         v1   HMAC-SHA256
//	whsk_   base64 of an ed25519 key, or its seed   v1a  ed25519
//	whpk_   base64 of an ed25519 public key         v1a  to verify only
//
// The HMAC is the reference library's, github.com/standard-webhooks/standard-webhooks/libraries/go: its cryptography and
// its encoding are sound. What it leaves open is done here: it takes an empty secret, it reads the clock itself, and it has
// no v1a.
package webhook
