package catalog

import (
	"net"
	"net/url"
	"strings"
)

// auth reads how calls of a target are authenticated.
func (r *reader) auth(v value) Auth {
	var a Auth
	before := len(r.faults)
	has := r.object(v, fields{
		"header": func(v value) { a.Header = r.authHeader(v) },
		"oauth2": func(v value) { a.OAuth2 = r.oauth2(v) },
		"sigv4":  func(v value) { a.SigV4 = r.sigv4(v) },
	})
	if len(has) != 1 && len(r.faults) == before {
		r.failf(v, "must have one of header, oauth2 and sigv4: leave the key out to send key as a bearer token")
	}
	return a
}

// authHeader reads the name of the header that a key is sent in. It may be authorization, for a server that wants no Bearer.
func (r *reader) authHeader(v value) string {
	const want = "the name of a header, such as api-key"
	name, ok := r.text(v, want)
	switch {
	case !ok:
	case !headerName.MatchString(name):
		r.failf(v, "expected %s: 1 to %d of a-z, 0-9, -, _ and .", want, maxHeaderName)
	case clientSets(name):
		r.failf(v, "is a header that calls have already, or none that can be chosen: expected %s", want)
	default:
		return name
	}
	return ""
}

func (r *reader) oauth2(v value) *OAuth2 {
	o := &OAuth2{}
	has := r.object(v, fields{
		"token_url":     func(v value) { o.TokenURL = r.tokenURL(v) },
		"client_id":     func(v value) { o.ClientID = r.word(v, "the id of a client") },
		"client_secret": func(v value) { o.ClientSecret = r.secret(v, credential) },
		"scopes":        func(v value) { o.Scopes = r.scopes(v) },
		"audience":      func(v value) { o.Audience = r.word(v, "an audience") },
	})
	r.need(v, has, "token_url", "give the URL that tokens are asked for at")
	r.need(v, has, "client_id", "give the id that the authorization server knows the client by")
	r.need(v, has, "client_secret", "give a reference to the client's secret, env:NAME or file:PATH")
	return o
}

// tokenURL reads the URL of a token endpoint. It may have a query (RFC 6749, section 3.2).
func (r *reader) tokenURL(v value) string {
	s, ok := r.text(v, "the URL of a token endpoint")
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		r.failf(v, "is no URL: expected one such as https://login.example.com/oauth2/token")
	case u.User != nil:
		r.failf(v, "has a user or password in it: they are client_id and client_secret")
	case u.Scheme != "https" && u.Scheme != "http":
		r.failf(v, "has the wrong scheme: expected https:// or http://")
	case u.Hostname() == "" || u.Opaque != "":
		r.failf(v, "has no host: expected https://host")
	case !validPort(u):
		r.failf(v, "has a wrong port: expected one from 1 to 65535")
	case strings.Contains(s, "#"):
		r.failf(v, "has a fragment: remove it")
	default:
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			r.warnf(v, "is plain http: the client's secret and its tokens can be read on the way")
		}
		return s
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// scopes reads the scopes of a token (RFC 6749, section 3.3).
func (r *reader) scopes(v value) []string {
	var scopes []string
	list := r.some(v, "a list of scopes", "leave the key out to ask for none")
	r.distinct(list, "a scope", func(v value, s string) {
		if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			r.failf(v, "is no scope: expected visible ASCII without space, quote and backslash, each scope an item of its own")
		}
		scopes = append(scopes, s)
	})
	return scopes
}

func (r *reader) sigv4(v value) *SigV4 {
	s := &SigV4{Service: "bedrock"}
	has := r.object(v, fields{
		"region": func(v value) { s.Region = r.scopeOfKeys(v, "a region of AWS, such as us-east-1") },
		"service": func(v value) {
			s.Service = r.scopeOfKeys(v, "the name that a service of AWS signs with, such as bedrock")
		},
		"access_key": func(v value) { s.AccessKey = r.secret(v, credential) },
		"secret_key": func(v value) { s.SecretKey = r.secret(v, credential) },
	})
	r.need(v, has, "region", "give the region that the service is called in, such as us-east-1")
	r.both(v, has, "access_key", "secret_key", ", or leave both out for the credentials that the process has on AWS")
	return s
}

// scopeOfKeys reads a part of the scope that a key of AWS signs for, which is separated by slashes.
func (r *reader) scopeOfKeys(v value, want string) string {
	s := r.word(v, want)
	if strings.ContainsAny(s, "/,=") {
		r.failf(v, "expected %s", want)
	}
	return s
}

// both reports the one of two keys that the mapping must have if it has the other.
func (r *reader) both(v value, has given, a, b, advice string) {
	_, hasA := has[a]
	_, hasB := has[b]
	switch {
	case hasA && !hasB:
		r.failf(has.or(b, v), "is missing: give it with %s%s", a, advice)
	case hasB && !hasA:
		r.failf(has.or(a, v), "is missing: give it with %s%s", b, advice)
	}
}

func (r *reader) tls(v value) TLS {
	var (
		t   TLS
		key int // where its reference is
	)
	has := r.object(v, fields{
		"ca":          func(v value) { t.CA = r.secret(v, certificates) },
		"cert":        func(v value) { t.Cert = r.secret(v, certificates) },
		"key":         func(v value) { t.Key, key = r.secret(v, privateKey), len(r.references)-1 },
		"server_name": func(v value) { t.ServerName = r.serverName(v) },
	})
	if has != nil && len(has) == 0 {
		r.failf(v, "is empty: give ca, cert and key, or server_name")
	}
	r.both(v, has, "cert", "key", "")
	if t.Key != "" {
		r.references[key].of = t.Cert
	}
	return t
}

func (r *reader) serverName(v value) string {
	const want = "the name that the server's certificate is for, such as models.internal"
	s, ok := r.text(v, want)
	if !ok {
		return ""
	}
	name := canonicalHost(s)
	if net.ParseIP(name) == nil && !hostName(name) {
		r.failf(v, "expected %s", want)
	}
	return name
}

// authenticated reports what of a target's credentials does not go together.
func (r *reader) authenticated(v value, has given, t *Target) {
	auth, given := has["auth"]
	if !given {
		return
	}
	key, hasKey := has["key"]
	switch a := t.Auth; {
	case a.Header != "" && !hasKey:
		r.failf(has.or("key", v), "is missing: give the credential that is sent in the header of auth, as env:NAME or file:PATH")
	case a.OAuth2 != nil && hasKey:
		r.failf(key, "is not used with auth.oauth2: remove one of them")
	case a.SigV4 != nil && hasKey:
		r.failf(key, "is not used with auth.sigv4: remove one of them")
	case a.SigV4 != nil && t.API == OIPGRPC:
		r.failf(auth, "has sigv4, which signs no calls of gRPC: use another way, or an api over HTTP")
	}
	if value, ok := t.Headers[t.Auth.Header]; ok && t.Auth.Header != "" && value != "" {
		r.failf(has["headers"], "has the header that auth sends the key in: remove it")
	}
}
