package ingest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// defaultBodyLimit is the contract's limit of a body, for a catalog made without one.
const defaultBodyLimit = 256 << 10

func bodyLimit(c *catalog.Catalog) int64 {
	if c.Limits.Body > 0 {
		return c.Limits.Body
	}
	return defaultBodyLimit
}

// mediaType returns the request's media type in lower case, "" if it names none, or a problem if it names several, cannot
// be read, or names a charset that is not UTF-8.
func mediaType(r *http.Request) (string, *problem.Problem) {
	if len(r.Header["Content-Type"]) > 1 {
		return "", problem.New(problem.Malformed, "There are several Content-Type headers; send one.")
	}
	given := r.Header.Get("Content-Type")
	switch given {
	case "application/json": // nearly every request: spare it the parsing
		return given, nil
	case "":
		return "", nil
	}
	typ, params, err := mime.ParseMediaType(given)
	if err != nil {
		return "", unsupported("The Content-Type header cannot be read.")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", unsupported(fmt.Sprintf("The charset %q is not taken: JSON is UTF-8.", charset))
	}
	return typ, nil
}

// wantJSON returns a problem unless the request says that its body is plain JSON.
func wantJSON(r *http.Request) *problem.Problem {
	typ, p := mediaType(r)
	if p != nil {
		return p
	}
	switch typ {
	case "application/json":
		return wantPlain(r)
	case "":
		return unsupported("The Content-Type header is missing: send application/json.")
	default:
		return unsupported(fmt.Sprintf("The content type %q is not taken here: send application/json.", typ))
	}
}

// wantPlain returns a problem if the body is encoded: a limit on what is read would say nothing of what it unpacks to.
func wantPlain(r *http.Request) *problem.Problem {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return problem.New(problem.UnsupportedMediaType,
				fmt.Sprintf("The content encoding %q is not taken: send the body as it is.", encoding)).
				With("Accept-Encoding", "identity")
		}
	}
	return nil
}

func unsupported(detail string) *problem.Problem {
	return problem.New(problem.UnsupportedMediaType, detail).With("Accept-Post", "application/json, application/cloudevents+json")
}

// readBody reads the whole body, up to limit bytes.
func readBody(x *Exchange, r *http.Request, limit int64) ([]byte, *problem.Problem) {
	if r.ContentLength > limit {
		// The body is not read, so the connection can carry nothing after it.
		return nil, tooLarge(limit).With("Connection", "close")
	}
	// The reader gets the server's own writer: only that one can be told to close the connection.
	from := http.MaxBytesReader(x.ResponseWriter, r.Body, limit)
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(from, body); err != nil {
			return nil, unread(err, limit)
		}
		return body, nil
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return nil, unread(err, limit)
	}
	return body, nil
}

func unread(err error, limit int64) *problem.Problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.New(problem.Timeout, "The body did not arrive in time.").With("Connection", "close")
	default:
		return problem.New(problem.Malformed, "The body ended before its announced length, or its chunks are broken.").
			With("Connection", "close")
	}
}

func tooLarge(limit int64) *problem.Problem {
	return problem.New(problem.TooLarge, fmt.Sprintf("The body is over the limit of %d bytes.", limit))
}
