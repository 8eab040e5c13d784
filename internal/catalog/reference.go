package catalog

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// reference is where a file refers to a secret.
type reference struct {
	secret Secret
	tenant bool  // it signs the callbacks of a tenant; else it is the credential of a target
	place  Fault // without a problem
}

// CheckSecrets returns a [*Faults] with each reference to a secret that does not resolve, each secret of a tenant that cannot
// sign callbacks, and each credential of a target that no header can carry; nil: all are good. A catalog that [Parse] did not
// make has no references to check.
//
// read resolves a reference, and is called once for each. form says what is wrong with a secret that is to sign; nil: any will
// do. What they say is in the faults, but for what shows a secret.
//
// The catalog keeps what it read if all are good; see [Watch.Secret].
func (c *Catalog) CheckSecrets(read func(Secret) (string, error), form func(secret string) error) error {
	return c.checkSecrets(read, form, func(reference) bool { return true })
}

// CheckTargetKeys is [Catalog.CheckSecrets] for a process that calls targets and has no tenant's secrets.
func (c *Catalog) CheckTargetKeys(read func(Secret) (string, error)) error {
	return c.checkSecrets(read, nil, func(r reference) bool { return !r.tenant })
}

// CheckTenantSecrets is [Catalog.CheckSecrets] for a process that signs callbacks and has no target's credential.
func (c *Catalog) CheckTenantSecrets(read func(Secret) (string, error), form func(secret string) error) error {
	return c.checkSecrets(read, form, func(r reference) bool { return r.tenant })
}

func (c *Catalog) checkSecrets(
	read func(Secret) (string, error), form func(string) error, of func(reference) bool,
) error {
	type outcome struct {
		value string
		err   error
	}
	known := map[Secret]outcome{}
	var faults []Fault
	for _, r := range c.references {
		if !of(r) {
			continue
		}
		o, ok := known[r.secret]
		if !ok {
			o.value, o.err = read(r.secret)
			known[r.secret] = o
		}
		fault := r.place
		switch {
		case o.err != nil:
			fault.Problem = unresolved(r.secret, o.value, o.err)
		case r.tenant && form != nil:
			err := form(o.value)
			if err == nil {
				continue
			}
			fault.Problem = fmt.Sprintf("%s holds no secret that signs callbacks%s", r.secret, reason(o.value, err))
		case !r.tenant && !sendable(o.value):
			const want = "one line of visible ASCII, without a space at its ends"
			fault.Problem = fmt.Sprintf("%s holds no credential: expected %s", r.secret, want)
		default:
			continue
		}
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		sortFaults(faults)
		return &Faults{faults}
	}
	now := &checked{read: read, values: map[Secret]string{}}
	if before := c.checked.Load(); before != nil {
		maps.Copy(now.values, before.values)
	}
	for s, o := range known {
		now.values[s] = o.value
	}
	c.checked.Store(now)
	return nil
}

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
