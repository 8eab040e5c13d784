package model

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"baton.dev/baton/events"
)

// newTransport returns a transport that verifies servers by the settings, which it keeps; nil: by those of the system.
func newTransport(proxy func(*http.Request) (*url.URL, error), settings *tls.Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:               proxy,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     settings,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 5 * time.Second,
		// The default keeps 2 idle connections a host, so that 64 calls at once would dial 62 times per round. Several
		// targets may share a host, at 64 calls each by default: 1024 is room for 16 of them.
		MaxIdleConnsPerHost: 1024,
		MaxIdleConns:        0, // no limit over all hosts
		// Below the 5 s after which uvicorn (vLLM and most Python servers) and node close an idle connection: a call that
		// goes out while the server closes is lost, and is not repeated here.
		IdleConnTimeout:        4 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		// One dead HTTP/2 connection would hold every call to its host until their timeouts.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
	}
}

// failure says what a call came to that has no complete response, from the transport's error. ctx is the context of the
// caller and call the one with the call's own limit; late is the code for a call that reached that limit.
func failure(ctx, call context.Context, late string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case call.Err() != nil:
		return NewError(late, nil)
	case refusesCertificate(err):
		return NewError(events.CodeUnauthorized, brokenness(err))
	case isBadEncoding(err):
		return NewError(events.CodeUnusableOutput, errors.New("the body's compression is corrupt"))
	default:
		return NewError(events.CodeUnreachable, brokenness(err))
	}
}

func isBadEncoding(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}

// refusesCertificate reports whether the server does not take our certificate, or the lack of one. The words are those that
// crypto/tls has for the alerts of RFC 8446, section 6.2; it has no type for them.
func refusesCertificate(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != remoteError {
		return false
	}
	words := op.Err.Error()
	return strings.Contains(words, "certificate") || strings.HasSuffix(words, "access denied")
}

// remoteError is what crypto/tls calls an alert that the other side sent.
const remoteError = "remote error"

// isPlainHTTP reports whether a server answered in plain HTTP to a handshake of TLS, for which net/http has no type.
func isPlainHTTP(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// brokenness puts a transport's error in words of our own. The transport's words can hold the URL with its query, and the
// bytes of a malformed response.
func brokenness(err error) error {
	var (
		dns     *net.DNSError
		op      *net.OpError
		errno   syscall.Errno
		cert    *tls.CertificateVerificationError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		header  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns):
		return errors.New("the host's name does not resolve")
	case errors.As(err, &host):
		return errors.New("the server's certificate is for another name")
	case errors.As(err, &header), isPlainHTTP(err):
		return errors.New("the server does not speak TLS")
	case errors.As(err, &cert), errors.As(err, &unknown):
		return errors.New("the server's certificate is not trusted")
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &op) && op.Op == remoteError:
		return op.Err // an alert in the words of crypto/tls
	case errors.As(err, &op) && op.Timeout():
		return errors.New(op.Op + " timed out")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	default:
		return errors.New("the connection is broken")
	}
}
