package model

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"sync"

	"baton.dev/baton/internal/catalog"
)

// Connections are the pools of connections over HTTP to targets: one for those without TLS settings, and one for each of the
// settings that others have. It is safe for concurrent use.
type Connections struct {
	proxy  func(*http.Request) (*url.URL, error)
	shared *http.Client

	mu  sync.Mutex
	own map[catalog.TLS]pool
}

// pool is the connections that were made by what settings refer to.
type pool struct {
	tls    *tls.Config
	client *http.Client
}

// NewConnections returns an empty set. A proxy of nil is none. Close it when it is not needed any more.
func NewConnections(proxy func(*http.Request) (*url.URL, error)) *Connections {
	return &Connections{proxy: proxy, shared: newClient(newTransport(proxy, nil)), own: map[catalog.TLS]pool{}}
}

// newClient returns a client that follows no redirect.
func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Of returns the client for calls of the target, whose TLS settings at the moment come to that; nil: those of the system. It
// follows no redirect. When they come to another configuration than before, as after a rotation of a certificate, what was
// connected by the old one is closed; calls that are under way are not interrupted.
func (c *Connections) Of(t *catalog.Target, settings *tls.Config) *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.own[t.TLS]
	if ok && old.tls == settings {
		return old.client
	}
	if ok {
		old.client.CloseIdleConnections()
		delete(c.own, t.TLS)
	}
	if settings == nil {
		return c.shared
	}
	// A copy, since a transport adds the protocols that it speaks.
	p := pool{settings, newClient(newTransport(c.proxy, settings.Clone()))}
	c.own[t.TLS] = p
	return p.client
}

// Close closes what is idle. It does not interrupt calls.
func (c *Connections) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared.CloseIdleConnections()
	for _, p := range c.own {
		p.client.CloseIdleConnections()
	}
}
