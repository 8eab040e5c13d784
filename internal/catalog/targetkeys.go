package catalog

// CheckTargetKeysOf is [Catalog.CheckTargetKeys] for a process that calls some of the targets, and need not have what the
// others are called with.
func (c *Catalog) CheckTargetKeysOf(read func(Secret) (string, error), calls func(*Target) bool) error {
	wanted := map[Secret]bool{}
	for _, m := range c.Models {
		for _, t := range m.Targets {
			if !calls(t) {
				continue
			}
			for _, s := range t.secrets() {
				wanted[s] = true
			}
		}
	}
	return c.checkSecrets(read, nil, func(r reference) bool { return r.ofTarget() && wanted[r.secret] })
}

// secrets returns what the target is called with.
func (t *Target) secrets() []Secret {
	list := []Secret{t.Key, t.TLS.CA, t.TLS.Cert, t.TLS.Key}
	if o := t.Auth.OAuth2; o != nil {
		list = append(list, o.ClientSecret)
	}
	if s := t.Auth.SigV4; s != nil {
		list = append(list, s.AccessKey, s.SecretKey)
	}
	return list
}
