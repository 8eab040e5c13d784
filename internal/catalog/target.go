package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// Stable returns the targets that take the model's requests by their weights, in the order of the file: all that are neither
// canary nor shadow. There is one at least, but for a group. The caller must not change the slice.
func (m *Model) Stable() []*Target { return m.targets((*Target).stable) }

// Canaries returns the targets that take a fixed share of the requests. The caller must not change the slice.
func (m *Model) Canaries() []*Target { return m.targets(func(t *Target) bool { return t.Canary > 0 }) }

// Shadows returns the targets that get copies of requests and take none of them. The caller must not change the slice.
func (m *Model) Shadows() []*Target { return m.targets(func(t *Target) bool { return t.Shadow > 0 }) }

func (t *Target) stable() bool { return t.Canary == 0 && t.Shadow == 0 }

// targets returns those of the targets that are of a kind. A model whose targets all are, as most have it, costs no copy.
func (m *Model) targets(of func(*Target) bool) []*Target {
	other := slices.IndexFunc(m.Targets, func(t *Target) bool { return !of(t) })
	if other < 0 {
		return m.Targets
	}
	list := slices.Clone(m.Targets[:other])
	for _, t := range m.Targets[other:] {
		if of(t) {
			list = append(list, t)
		}
	}
	return list
}

// TargetsOf returns every target that stands under the model, or under the members of it if it is a group. Canaries and shadows
// are among them. The caller must not change the slice.
func (c *Catalog) TargetsOf(m *Model) []*Target {
	if len(m.Group) == 0 {
		return m.Targets
	}
	var list []*Target
	for _, member := range m.Group {
		if of, ok := c.Models[member.Model]; ok {
			list = append(list, of.Targets...)
		}
	}
	return list
}

// Fingerprint returns a word that is the same for as long as the target is the same thing under the same trial: where and by
// what name it is called, as whom, with which headers and tensors, how it behaves if it is simulated, and its share as a canary.
// What was learned about a target of another fingerprint says nothing about this one. It is the same in every process, depends
// on no secret, and shows neither URL nor credential.
func (t *Target) Fingerprint() string {
	var simulate Simulate
	if t.Simulate != nil {
		simulate = *t.Simulate
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %g %v", t.API, t.URL, t.Model, t.Canary, simulate)
	// What a target does not have is not written: what was learned about those that have none of it stays of use.
	if t.Auth.Header != "" {
		fmt.Fprintf(h, " header %q", t.Auth.Header)
	}
	if o := t.Auth.OAuth2; o != nil {
		fmt.Fprintf(h, " oauth2 %q %q %q %q", o.TokenURL, o.ClientID, o.Scopes, o.Audience)
	}
	if s := t.Auth.SigV4; s != nil {
		fmt.Fprintf(h, " sigv4 %q %q", s.Region, s.Service)
	}
	if t.TLS.ServerName != "" {
		fmt.Fprintf(h, " server %q", t.TLS.ServerName)
	}
	if len(t.Headers) > 0 {
		fmt.Fprintf(h, " headers %q", t.Headers) // in the order of their names
	}
	if o := t.OIP; o != (OIP{}) {
		fmt.Fprintf(h, " oip %q %q %q %q %t", o.Preset, o.Input, o.Output, o.Version, o.Stream)
	}
	if t.Edge {
		fmt.Fprint(h, " edge")
	}
	return hex.EncodeToString(h.Sum(nil)[:16]) // 128 bits: no two targets that were ever written share them
}
