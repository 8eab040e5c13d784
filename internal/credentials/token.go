package credentials

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"baton.dev/baton/internal/catalog"
)

const (
	// tokenTimeout bounds one asking for a token.
	tokenTimeout = 10 * time.Second
	// unstated is how long a token is used whose server does not say how long it lives.
	unstated = 5 * time.Minute
	// margin is how long before its end a token is renewed, beside the calls, which go on with the old one; of a token that
	// lives for less than five times as long, a fifth.
	margin = time.Minute
	// slack is how long before its end a token is not used any more: clocks differ, and a call takes its time to be checked.
	slack = 5 * time.Second
	// pause is how long nothing is asked for after it was refused or failed.
	pause = time.Second
	// almostNew is the age up to which a token that was refused stays.
	almostNew = 10 * time.Second
)

// tokens are those of all clients of authorization servers. One token of a client is asked for at a time, whoever waits for it.
type tokens struct {
	key    func(catalog.Secret) (string, error)
	now    func() time.Time
	log    *slog.Logger
	client *http.Client

	running sync.WaitGroup
	mu      sync.Mutex
	sources map[string]*source
	closed  bool
}

// source is a client of an authorization server, and what it has of it.
type source struct {
	config *clientcredentials.Config // remembers how the server wants the secret

	token       string
	got         time.Time
	renew, ends time.Time // when it is due to be renewed, and not to be used any more
	stale       bool      // it was got with a secret that is not the client's any more

	asking *asking   // nil: none is asked for
	again  time.Time // before this, none is asked for
	err    error     // the last failure
	soon   bool      // it may be otherwise soon
	failed bool      // the last asking did
}

// asking is one asking for a token, which goes on when those who wait for it leave.
type asking struct {
	done   chan struct{}
	cancel context.CancelFunc
	token  string // after done; empty where it failed, or came too late to be of use
}

func newTokens(c Config) *tokens {
	if c.Transport == nil {
		c.Transport = &http.Transport{
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		}
	}
	return &tokens{
		key: c.Key, now: c.Now, log: c.Log, sources: map[string]*source{},
		client: &http.Client{
			Transport: c.Transport,
			// A redirect would hand the secret to a host that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (s *tokens) close() {
	s.mu.Lock()
	s.closed = true
	for _, of := range s.sources {
		if of.asking != nil {
			of.asking.cancel()
		}
	}
	s.mu.Unlock()
	s.running.Wait()
	s.client.CloseIdleConnections()
}

// identity is who asks whom for what, whatever the secret is.
func identity(o *catalog.OAuth2) string {
	return fmt.Sprintf("%q %q %q %q %q", o.TokenURL, o.ClientID, o.ClientSecret, o.Scopes, o.Audience)
}

// get returns a token for a call of the target. It waits for one only where there is none that can be used. The error is as that
// of [Credentials.Authorize].
func (s *tokens) get(ctx context.Context, t *catalog.Target) (string, error) {
	for {
		token, wait, err := s.look(ctx, t)
		if wait == nil {
			return token, err
		}
		select {
		case <-wait.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if wait.token != "" {
			return wait.token, nil
		}
	}
}

// look returns the token at hand, or what is to be waited for, or why there is neither.
func (s *tokens) look(ctx context.Context, t *catalog.Target) (token string, wait *asking, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", nil, fail(errors.New("no token is asked for any more"), true)
	}
	// Under the lock, so that a secret that was read before it was rotated does not come back after it.
	secret, err := s.key(t.Auth.OAuth2.ClientSecret)
	if err != nil {
		return "", nil, fail(err, false)
	}
	of := s.source(t.Auth.OAuth2, secret)
	now := s.now()
	usable := now.Before(of.ends)
	if usable && !of.stale {
		if of.asking == nil && !now.Before(of.renew) && !now.Before(of.again) {
			s.ask(ctx, t.Name, of)
		}
		return of.token, nil, nil
	}
	if of.asking == nil && now.Before(of.again) {
		if usable {
			return of.token, nil, nil
		}
		return "", nil, fail(of.err, of.soon)
	}
	if of.asking == nil {
		s.ask(ctx, t.Name, of)
	}
	return "", of.asking, nil
}

// source returns the client's source. One whose secret was rotated asks with the new one, and has the token of the old one for
// as long as that fails.
func (s *tokens) source(o *catalog.OAuth2, secret string) *source {
	id := identity(o)
	of, ok := s.sources[id]
	if ok && of.config.ClientSecret == secret {
		return of
	}
	if !ok {
		s.forget()
		of = &source{}
		s.sources[id] = of
	}
	var parameters url.Values
	if o.Audience != "" {
		parameters = url.Values{"audience": {o.Audience}}
	}
	of.config = &clientcredentials.Config{
		ClientID: o.ClientID, ClientSecret: secret, TokenURL: o.TokenURL, Scopes: o.Scopes, EndpointParams: parameters,
	}
	of.stale, of.again = true, time.Time{}
	if of.asking != nil {
		of.asking.cancel()
		of.asking = nil
	}
	return of
}

// forget removes the sources that have not been used since their token ended, as those of a configuration that is gone.
func (s *tokens) forget() {
	now := s.now()
	for id, of := range s.sources {
		if of.asking == nil && now.Sub(of.ends) > time.Hour && now.Sub(of.again) > time.Hour {
			delete(s.sources, id)
		}
	}
}

// ask begins to ask for a token of the source.
func (s *tokens) ask(ctx context.Context, target string, of *source) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
	a := &asking{done: make(chan struct{}), cancel: cancel}
	of.asking = a
	config := of.config
	begun := s.now()
	s.running.Go(func() {
		defer cancel()
		token, err := fetch(context.WithValue(ctx, oauth2.HTTPClient, s.client), config)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(a.done)
		if of.asking != a {
			return // the secret was rotated meanwhile
		}
		of.asking = nil
		if err == nil {
			a.token = token.AccessToken
			of.take(token, begun)
			return
		}
		now := s.now()
		of.soon, of.err = noToken(err)
		of.again = now.Add(pause)
		if now.Before(of.ends) && !of.failed {
			s.log.Warn("token not renewed, the one at hand is used until it ends",
				"target", target, "error", of.err, "ends", of.ends.UTC().Format(time.RFC3339))
		}
		of.failed = true
	})
}

// take keeps a token that was asked for at the time.
func (of *source) take(token *oauth2.Token, asked time.Time) {
	lifetime := unstated
	if !token.Expiry.IsZero() {
		lifetime = time.Until(token.Expiry)
	}
	of.token, of.got, of.stale = token.AccessToken, asked, false
	of.renew = asked.Add(lifetime - min(margin, lifetime/5))
	of.ends = asked.Add(lifetime - min(slack, lifetime/10))
	of.err, of.failed, of.again = nil, false, time.Time{}
}

// drop forgets the client's token if it is one of those that were refused.
func (s *tokens) drop(o *catalog.OAuth2, refused []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, ok := s.sources[identity(o)]
	if ok && slices.Contains(refused, of.token) && s.now().Sub(of.got) > almostNew {
		of.token, of.ends = "", time.Time{}
	}
}

// fetch asks the authorization server for a token.
func fetch(ctx context.Context, config *clientcredentials.Config) (*oauth2.Token, error) {
	token, err := config.Token(ctx)
	switch {
	case err != nil:
		return nil, err
	case token.Type() != "Bearer":
		return nil, unusable("is no bearer token")
	case !sendable(token.AccessToken):
		return nil, unusable("is no header value")
	default:
		return token, nil
	}
}
