package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"baton.dev/baton/internal/catalog"
)

// shown is a TLS configuration and the PEM that it was made of.
type shown struct {
	ca, cert, key string
	config        *tls.Config
}

// TLS returns how connections to a target are made: with its authorities, our certificate and the name to verify. It is nil for a
// target that says nothing of it. It is the same pointer for as long as the PEM is the same, and a new one after a rotation, so
// that a pool of connections can be kept by it; targets that say the same share one. The caller must not change it.
//
// The error says which of them cannot be had.
func (c *Credentials) TLS(t *catalog.Target) (*tls.Config, error) {
	if t.TLS == (catalog.TLS{}) {
		return nil, nil //nolint:nilnil // no configuration is one: it is what crypto/tls takes for the default
	}
	// What it is made of is read under the lock, so that what was read before a rotation does not come back after it.
	c.tlsMu.Lock()
	defer c.tlsMu.Unlock()
	made, err := c.read(t.TLS)
	if err != nil {
		return nil, fail(err, false)
	}
	// Most often the strings are the very same, which costs no comparison of what is in them.
	if kept, ok := c.tls[t.TLS]; ok && kept.ca == made.ca && kept.cert == made.cert && kept.key == made.key {
		return kept.config, nil
	}
	if made.config, err = made.build(t.TLS.ServerName); err != nil {
		return nil, fail(err, false)
	}
	c.tls[t.TLS] = made
	return made.config, nil
}

// read resolves what a configuration refers to.
func (c *Credentials) read(of catalog.TLS) (*shown, error) {
	var (
		s   shown
		err error
	)
	if of.CA != "" {
		if s.ca, err = c.key(of.CA); err != nil {
			return nil, err
		}
	}
	if of.Cert != "" {
		if s.cert, s.key, err = c.pair(of.Cert, of.Key); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

func (s *shown) build(serverName string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if s.ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(s.ca)) {
			return nil, errors.New("the ca holds no certificate")
		}
	}
	if s.cert != "" {
		pair, err := tls.X509KeyPair([]byte(s.cert), []byte(s.key))
		if err != nil {
			return nil, errors.New("the cert and key do not go together, or are none")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
