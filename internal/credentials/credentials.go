// Package credentials is how calls of targets are authenticated: by a key, by a token of an authorization server (OAuth 2.0
// client credentials, RFC 6749, section 4.4), by a signature of AWS (Signature Version 4), and by a certificate of our own.
//
// What a target's configuration refers to is resolved on each call, so that a secret that was rotated is used at once. Tokens
// and TLS configurations are kept for as long as what they were made of is the same. No error or log holds a secret, a URL, or
// anything that an authorization server wrote but an error code of the RFC.
package credentials

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"baton.dev/baton/internal/catalog"
)

// Config is what [Credentials] need.
type Config struct {
	// Key resolves a secret, on every call. It must be quick, as [catalog.Watch.Secret] is, and safe for concurrent use. Its
	// errors go to logs and must not hold the secret. Required.
	Key func(catalog.Secret) (string, error)
	// Transport reaches authorization servers; nil: one of its own, without a proxy and with the system's authorities.
	Transport http.RoundTripper
	// AWS is who the process is on AWS, for targets with sigv4 and no keys of their own; nil: found at the first such call, as
	// the AWS SDK finds it.
	AWS aws.CredentialsProvider
	// Log takes what went wrong and stopped no call yet; nil: [slog.Default].
	Log *slog.Logger
	// Now is the time of signatures, and of what becomes of tokens; nil: [time.Now].
	Now func() time.Time
}

// Credentials authenticate calls of any number of targets. They are safe for concurrent use.
type Credentials struct {
	key    func(catalog.Secret) (string, error)
	now    func() time.Time
	tokens *tokens
	signer *v4.Signer
	owner  owner

	tlsMu sync.Mutex
	tls   map[catalog.TLS]*shown
}

// New returns credentials. Close them when they are not needed any more.
func New(c Config) *Credentials {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Credentials{
		key:    c.Key,
		now:    c.Now,
		tokens: newTokens(c),
		signer: v4.NewSigner(),
		owner:  owner{provider: c.AWS},
		tls:    map[catalog.TLS]*shown{},
	}
}

// Close ends what runs beside the calls and closes the idle connections. Calls that want a token fail after it.
func (c *Credentials) Close() { c.tokens.close() }

// Authorize puts into the request of a call what authenticates it. It is to be called last: what is signed must not change after
// it. payloadSHA256 returns the lower-case hex SHA-256 of the body, and is called only for a target that signs it.
//
// The secrets are what the request holds that nothing may repeat; [Credentials.Refused] takes them.
//
// The error is that of ctx or of payloadSHA256; a [*model.Error] of [events.CodeUnreachable] where what is needed cannot be had
// at the moment; any other says that it cannot be had at all.
func (c *Credentials) Authorize(
	ctx context.Context, t *catalog.Target, req *http.Request, payloadSHA256 func() (string, error),
) (secrets []string, err error) {
	if t.Auth.SigV4 != nil {
		return c.sign(ctx, t, req, payloadSHA256)
	}
	name, value, secrets, err := c.header(ctx, t)
	if name != "" {
		req.Header.Set(name, value)
	}
	return secrets, err
}

// Metadata returns what authenticates a call of gRPC, as metadata with lower-case names; it is nil for a target that needs none.
// The value is a secret, and so is what follows Bearer in it. The error is as that of [Credentials.Authorize]; a target with
// sigv4 is one, since a signature is that of an HTTP request as a whole.
func (c *Credentials) Metadata(ctx context.Context, t *catalog.Target) (map[string]string, error) {
	if t.Auth.SigV4 != nil {
		return nil, fail(errors.New("sigv4 signs no calls of gRPC"), false)
	}
	name, value, _, err := c.header(ctx, t)
	if name == "" {
		return nil, err
	}
	return map[string]string{name: value}, nil
}

// Refused says that a server did not accept what a call was authenticated with: 401, or UNAUTHENTICATED of gRPC. The secrets are
// those of the call. A token among them is not used again; the next call waits for a new one. A token that is almost new stays,
// since a server that refuses that will refuse the next one too.
func (c *Credentials) Refused(t *catalog.Target, secrets []string) {
	if t.Auth.OAuth2 != nil {
		c.tokens.drop(t.Auth.OAuth2, secrets)
	}
}

// header returns the header that authenticates calls of a target, in lower case. The name is empty for a target without
// credentials, and where there is an error.
func (c *Credentials) header(ctx context.Context, t *catalog.Target) (name, value string, secrets []string, err error) {
	const authorization, bearer = "authorization", "Bearer "
	if t.Auth.OAuth2 != nil {
		token, err := c.tokens.get(ctx, t)
		if err != nil {
			return "", "", nil, err
		}
		return authorization, bearer + token, []string{token}, nil
	}
	if t.Key == "" {
		return "", "", nil, nil
	}
	key, err := c.key(t.Key)
	switch {
	case err != nil:
		return "", "", nil, fail(err, false)
	case !sendable(key):
		return "", "", nil, fail(errors.New("the key is empty or no header value"), false)
	case t.Auth.Header != "":
		return t.Auth.Header, key, []string{key}, nil
	default:
		return authorization, bearer + key, []string{key}, nil
	}
}

// sendable reports whether s can be a header's value: visible ASCII and inner spaces (RFC 9110, section 5.5).
func sendable(s string) bool {
	const longest = 16 << 10 // more than any token; a header that large is refused by most servers
	if s == "" || len(s) > longest || s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
