package catalog

// Auth is how calls of a target are authenticated. At most one of its fields is set.
type Auth struct {
	Header string  // the key is the value of this header, in place of a bearer token; Azure's is api-key
	OAuth2 *OAuth2 // a token by client credentials (RFC 6749, section 4.4)
	SigV4  *SigV4  // AWS Signature Version 4
}

// OAuth2 is a client of an authorization server.
type OAuth2 struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scopes       []string
	Audience     string // sent as the parameter audience, which some servers want; empty: not sent
}

// SigV4 is how requests are signed for AWS. Without keys the process's own credentials are used, as the AWS SDK finds them.
type SigV4 struct {
	Region    string
	Service   string // default bedrock
	AccessKey Secret // both or none
	SecretKey Secret
}

// TLS is how a target's server is verified, and what it is shown. Each is PEM.
type TLS struct {
	CA         Secret // authorities; empty: the system's
	Cert, Key  Secret // of a client; both or none
	ServerName string // to verify in place of the URL's host; empty: the host
}
