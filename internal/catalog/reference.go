package catalog

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// reference is where a file refers to a secret.
type reference struct {
	secret Secret
	use    use
	of     Secret // the certificate that a private key belongs to
	place  Fault  // without a problem
}

// use is what a secret is there for, which says what it must look like and which process has it.
type use int

const (
	signature    use = iota // signs the callbacks of a tenant
	credential              // is sent to a target, or to its authorization server, or signs what is
	certificates            // PEM: authorities, or a certificate and what leads up to its authority
	privateKey              // PEM
	intake                  // logs in where requests are taken from
)

// ofTarget reports whether the secret is one that a target is called with.
func (r reference) ofTarget() bool { return r.use != signature && r.use != intake }

// secret reads a reference to a secret. What is none is not shown: it may be the secret.
func (r *reader) secret(v value, u use) Secret {
	text, ok := r.text(v, "a reference to a secret, env:NAME or file:PATH")
	if !ok {
		return ""
	}
	s := Secret(text)
	if !s.well() {
		r.failf(v, "must refer to a secret, as env:NAME or file:PATH: the secret itself does not belong in this file")
		return ""
	}
	s = s.from(r.dir)
	place := Fault{File: r.file, Line: v.line, Column: v.column, Path: v.path}
	r.references = append(r.references, reference{secret: s, use: u, place: place})
	return s
}

// CheckSecrets returns a [*Faults] with each reference to a secret that does not resolve, each secret of a tenant that cannot
// sign callbacks, each credential of a target that no header can carry, and each certificate or key that is none; nil: all are
// good. A catalog that [Parse] did not make has no references to check.
//
// read resolves a reference, and is called once for each. form says what is wrong with a secret that is to sign; nil: any will
// do. What they say is in the faults, but for what shows a secret.
//
// The catalog keeps what it read if all are good; see [Watch.Secret].
func (c *Catalog) CheckSecrets(read func(Secret) (string, error), form func(secret string) error) error {
	return c.checkSecrets(read, form, func(reference) bool { return true })
}

// CheckTargetKeys is [Catalog.CheckSecrets] for a process that calls targets: of all that a target's key, auth and tls refer to.
func (c *Catalog) CheckTargetKeys(read func(Secret) (string, error)) error {
	return c.checkSecrets(read, nil, reference.ofTarget)
}

// CheckTenantSecrets is [Catalog.CheckSecrets] for a process that signs callbacks and has no target's credential.
func (c *Catalog) CheckTenantSecrets(read func(Secret) (string, error), form func(secret string) error) error {
	return c.checkSecrets(read, form, func(r reference) bool { return r.use == signature })
}

// CheckIntakeSecrets is [Catalog.CheckSecrets] for a process that takes requests in: of what kafka refers to.
func (c *Catalog) CheckIntakeSecrets(read func(Secret) (string, error)) error {
	return c.checkSecrets(read, nil, func(r reference) bool { return r.use == intake })
}

func (c *Catalog) checkSecrets(read func(Secret) (string, error), form func(string) error, of func(reference) bool) error {
	known := resolved{read: read, outcomes: map[Secret]outcome{}}
	var faults []Fault
	for _, r := range c.references {
		if !of(r) {
			continue
		}
		if problem := known.problem(r, form); problem != "" {
			r.place.Problem = problem
			faults = append(faults, r.place)
		}
	}
	if len(faults) > 0 {
		sortFaults(faults)
		return &Faults{faults}
	}
	now := &checked{read: read, values: map[Secret]string{}}
	if before := c.checked.Load(); before != nil {
		maps.Copy(now.values, before.values)
	}
	for s, o := range known.outcomes {
		now.values[s] = o.value
	}
	c.checked.Store(now)
	return nil
}

// resolved is what secrets were, each read once.
type resolved struct {
	read     func(Secret) (string, error)
	outcomes map[Secret]outcome
}

type outcome struct {
	value string
	err   error
}

func (known resolved) secret(s Secret) outcome {
	o, ok := known.outcomes[s]
	if !ok {
		o.value, o.err = known.read(s)
		known.outcomes[s] = o
	}
	return o
}

// problem says what is wrong with what a reference refers to.
func (known resolved) problem(r reference, form func(string) error) string {
	o := known.secret(r.secret)
	if o.err != nil {
		return unresolved(r.secret, o.value, o.err)
	}
	switch r.use {
	case signature:
		if form == nil {
			return ""
		}
		if err := form(o.value); err != nil {
			return fmt.Sprintf("%s holds no secret that signs callbacks%s", r.secret, reason(o.value, err))
		}
	case credential, intake:
		if !sendable(o.value) {
			return string(r.secret) + " holds no credential: expected one line of visible ASCII, without a space at its ends"
		}
	case certificates:
		if !holdsCertificates(o.value) {
			return string(r.secret) + " holds no certificate: expected PEM, -----BEGIN CERTIFICATE-----"
		}
	case privateKey:
		cert := known.secret(r.of)
		if cert.err != nil || !holdsCertificates(cert.value) {
			return "" // that is a fault of its own
		}
		if _, err := tls.X509KeyPair([]byte(cert.value), []byte(o.value)); err != nil {
			return fmt.Sprintf("%s holds no private key, as PEM, of the certificate that %s holds", r.secret, r.of)
		}
	}
	return ""
}

func holdsCertificates(pem string) bool { return x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) }

// checked is the secrets of a catalog as they were when they were checked.
type checked struct {
	read   func(Secret) (string, error)
	values map[Secret]string
}

// secret returns the secret as it was when it was checked, and one that was not as it is.
func (c *Catalog) secret(s Secret) (string, error) {
	known := c.checked.Load()
	if known == nil {
		return "", fmt.Errorf("%s%s: none of the configuration was checked", resolving, s)
	}
	if value, ok := known.values[s]; ok {
		return value, nil
	}
	return known.read(s)
}

// sendable reports whether a credential can be sent in a header, as calls do it: visible ASCII, and spaces within (RFC 9110,
// section 5.5).
func sendable(credential string) bool {
	return credential == strings.TrimSpace(credential) &&
		!strings.ContainsFunc(credential, func(c rune) bool { return c < ' ' || c > '~' })
}

func unresolved(s Secret, value string, err error) string {
	// Resolve names the reference itself.
	why := strings.TrimPrefix(reason(value, err), ": "+resolving+string(s))
	return "does not resolve: " + string(s) + why
}

// reason returns an error's text in one line, after a colon, or nothing where it shows the secret: errors are made by others.
func reason(secret string, err error) string {
	text := inOneLine(err.Error())
	_, encoded, _ := strings.Cut(secret, "_") // after whsec_ and the like
	for _, s := range []string{secret, encoded} {
		quoted := strings.Trim(strconv.Quote(strings.TrimSpace(s)), `"`)
		for _, shown := range []string{inOneLine(s), quoted} {
			if shown != "" && strings.Contains(text, shown) {
				return ""
			}
		}
	}
	return ": " + text
}

func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
