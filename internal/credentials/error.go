package credentials

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"syscall"

	"golang.org/x/oauth2"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// fail returns why a call cannot be authenticated: a [*model.Error] of [events.CodeUnreachable] where it may be otherwise soon,
// since then the call comes to nothing as if the target itself were away, and else an error for which clients say
// [events.CodeUnauthorized]. It does not name the target, as clients do. The cause must hold no secret.
func fail(cause error, soon bool) error {
	err := fmt.Errorf("credentials: %w", cause)
	if soon {
		return model.NewError(events.CodeUnreachable, err)
	}
	return err
}

// unusable is a token that a server gave and that no call can show.
type unusable string

func (u unusable) Error() string { return string(u) }

// noToken puts in words of our own why there is no token, and says whether there may be one soon. The words of others can hold
// the URL with its query, and what the server wrote.
func noToken(err error) (soon bool, says error) {
	var (
		refusal   *oauth2.RetrieveError
		token     unusable
		dns       *net.DNSError
		untrusted *tls.CertificateVerificationError
		errno     syscall.Errno
		broken    net.Error // of the transport, any
	)
	switch {
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.As(err, &token):
		return false, errors.New("the token that the token server gave " + string(token))
	case errors.As(err, &dns):
		return true, errors.New("the token server's name does not resolve")
	case errors.As(err, &broken) && broken.Timeout():
		return true, errors.New("the token server did not answer in time")
	case errors.As(err, &untrusted):
		return true, errors.New("the token server's certificate is not trusted")
	case errors.As(err, &errno):
		return true, fmt.Errorf("the token server cannot be reached: %w", errno)
	case errors.As(err, &broken):
		return true, errors.New("the connection to the token server is broken")
	default:
		return true, errors.New("the token server's answer holds no token")
	}
}

// refused says that a server answered with an error. Of what it wrote, only codes of the RFC (6749, section 5.2) are repeated.
func refused(r *oauth2.RetrieveError) (soon bool, says error) {
	known := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	}
	status := r.Response.StatusCode
	text := fmt.Sprintf("the token server answered %d", status)
	if slices.Contains(known, r.ErrorCode) {
		text += " (" + r.ErrorCode + ")"
	}
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout, errors.New(text)
}
