package model

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"baton.dev/baton/internal/catalog"
)

// Credentials are what calls of targets show, and what servers are verified by. They go by what the target's configuration says,
// are asked on every call, so that what was rotated is used at once, and must be safe for concurrent use.
type Credentials interface {
	// Authorize sets the headers that authenticate the request. payloadSHA256 returns the SHA-256 of the body in hex; it reads
	// all of it and is only for signatures that need it. The secrets are what no message to a caller may repeat. An error says
	// that the credential cannot be had; it must hold none, and is an [*Error] where it is not [events.CodeUnauthorized].
	Authorize(
		ctx context.Context, t *catalog.Target, req *http.Request, payloadSHA256 func() (string, error),
	) (secrets []string, err error)
	// TLS returns the settings for connections to the target, nil for those of the system. It is the same pointer for as long as
	// nothing changed, for all targets whose configuration says the same.
	TLS(t *catalog.Target) (*tls.Config, error)
	// Refused is told the secrets of a call that the server answered with 401: what can be had anew is not to be used again.
	Refused(t *catalog.Target, secrets []string)
}

// bearer is the credentials of targets that have a key and nothing else.
type bearer struct {
	key func(catalog.Secret) (string, error)
}

func (b bearer) Authorize(
	_ context.Context, t *catalog.Target, req *http.Request, _ func() (string, error),
) (secrets []string, err error) {
	if t.Auth != (catalog.Auth{}) {
		return nil, errNoResolver
	}
	if t.Key == "" {
		return nil, nil
	}
	if b.key == nil {
		return nil, errNoResolver
	}
	key, err := b.key(t.Key)
	if err != nil {
		return nil, err
	}
	if !headerSafe(key) {
		return nil, errors.New("its key is empty or no header value")
	}
	req.Header.Set("Authorization", "Bearer "+key)
	return []string{key}, nil
}

// TLS refuses settings that it cannot read: a server that they do not vouch for must not get a request.
func (b bearer) TLS(t *catalog.Target) (*tls.Config, error) {
	if t.TLS != (catalog.TLS{}) {
		return nil, errNoResolver
	}
	return nil, nil //nolint:nilnil // nil are the settings of the system
}

// Refused has nothing to do: a key is resolved for each call.
func (b bearer) Refused(*catalog.Target, []string) {}

var errNoResolver = errors.New("no resolver of credentials")
