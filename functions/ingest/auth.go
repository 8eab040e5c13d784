package ingest

import (
	"net/http"
	"strings"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// authenticate returns the tenant whose key the request bears (RFC 6750, section 2.1). A key anywhere else, such as in the
// query, is not looked at: it would be in logs along the way.
func authenticate(c *catalog.Catalog, r *http.Request) (*catalog.Tenant, *problem.Problem) {
	given := r.Header["Authorization"]
	if len(given) == 0 {
		return nil, unauthenticated("Send a key: Authorization: Bearer <key>.", `Bearer realm="baton"`)
	}
	if len(given) > 1 {
		return nil, unauthenticated("There are several Authorization headers; send one.", `Bearer realm="baton"`)
	}
	scheme, key, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, unauthenticated("The Authorization header must have the scheme Bearer.", `Bearer realm="baton"`)
	}
	if tenant, ok := c.TenantByKey(strings.TrimSpace(key)); ok {
		return tenant, nil
	}
	return nil, unauthenticated("The key is not known.", `Bearer realm="baton", error="invalid_token"`)
}

func unauthenticated(detail, challenge string) *problem.Problem {
	return problem.New(problem.Unauthenticated, detail).With("WWW-Authenticate", challenge)
}
