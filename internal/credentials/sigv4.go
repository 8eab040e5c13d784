package credentials

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"baton.dev/baton/internal/catalog"
)

// sign signs a request by AWS Signature Version 4.
//
// What is signed is the least that AWS asks for: host, content type and length, date and session token. The other headers are
// not, so that what a transport or proxy does to them, a trace's for one, makes no signature wrong.
func (c *Credentials) sign(
	ctx context.Context, t *catalog.Target, req *http.Request, payloadSHA256 func() (string, error),
) (secrets []string, err error) {
	who, err := c.signatory(ctx, t.Auth.SigV4)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	hash, err := payloadSHA256()
	if err != nil {
		return nil, err
	}
	u := *req.URL
	signed := &http.Request{
		Method: req.Method, URL: &u, Host: req.Host, Header: http.Header{}, ContentLength: req.ContentLength,
	}
	const contentType = "Content-Type"
	if of := req.Header.Values(contentType); len(of) > 0 {
		signed.Header[contentType] = of
	}
	err = c.signer.SignHTTP(ctx, who, signed, hash, t.Auth.SigV4.Service, t.Auth.SigV4.Region, c.now())
	if err != nil {
		return nil, fail(errors.New("the request cannot be signed"), false)
	}
	// The signer settles the order and encoding of a query, and leaves out a port that is the scheme's own.
	req.URL.RawQuery, req.Host = signed.URL.RawQuery, signed.Host
	maps.Copy(req.Header, signed.Header)
	_, signature, _ := strings.Cut(signed.Header.Get("Authorization"), "Signature=")
	secrets = []string{signature}
	if who.SessionToken != "" {
		secrets = append(secrets, who.SessionToken)
	}
	return secrets, nil
}

// signatory returns who signs the calls of a target.
func (c *Credentials) signatory(ctx context.Context, s *catalog.SigV4) (aws.Credentials, error) {
	if s.AccessKey == "" {
		who, err := c.owner.retrieve(ctx)
		if err != nil {
			return who, fail(errors.New("the process has no credentials on AWS that the AWS SDK finds"), true)
		}
		return who, nil
	}
	id, secret, err := c.pair(s.AccessKey, s.SecretKey)
	switch {
	case err != nil:
		return aws.Credentials{}, fail(err, false)
	case !sendable(id) || !sendable(secret):
		return aws.Credentials{}, fail(errors.New("the access key or secret key is none"), false)
	default:
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, Source: "baton.yaml"}, nil
	}
}

// pair resolves two secrets that belong together, both as they were before they were rotated, or both as they are after it.
func (c *Credentials) pair(a, b catalog.Secret) (first, second string, err error) {
	for {
		if first, err = c.key(a); err != nil {
			return "", "", err
		}
		if second, err = c.key(b); err != nil {
			return "", "", err
		}
		again, err := c.key(a)
		if err != nil {
			return "", "", err
		}
		if again == first {
			return first, second, nil
		}
	}
}

// owner is who the process is on AWS.
type owner struct {
	mu       sync.Mutex
	provider aws.CredentialsProvider // nil: not looked for yet
}

func (o *owner) retrieve(ctx context.Context) (aws.Credentials, error) {
	provider, err := o.find(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return provider.Retrieve(ctx)
}

func (o *owner) find(ctx context.Context) (aws.CredentialsProvider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	o.provider = cfg.Credentials // caches them, and has one retrieval at a time
	return o.provider, nil
}
