package files

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/problem"
)

// purposes are what a caller can upload a file for. Nothing depends on it here but what a batch takes.
var purposes = []string{"assistants", "batch", "evals", "fine-tune", "user_data", "vision"}

// Bounds of expires_after, in seconds: OpenAI's least, and the longest that a file is kept here.
const (
	leastExpiry = 3600
	mostExpiry  = int64(attachments.FileLifetime / time.Second)
)

// defaultLimit is the contract's limit of a file, for a catalog made without one.
const defaultLimit = 512 << 20

func limit(c *catalog.Catalog) int64 {
	if c.Limits.File > 0 {
		return c.Limits.File
	}
	return defaultLimit
}

func tooLarge(most int64) *problem.Problem {
	return problem.New(problem.TooLarge, fmt.Sprintf("The file is over the limit of %d bytes.", most)).With("Connection", "close")
}

// purposeFault returns what is wrong with a purpose, or nil.
func purposeFault(purpose string) *problem.Problem {
	switch {
	case purpose == "":
		return invalid("purpose", "is required")
	case !slices.Contains(purposes, purpose):
		return invalid("purpose", "must be one of "+strings.Join(purposes, ", "))
	default:
		return nil
	}
}

// filenameFault returns what is wrong with a file's name, or nil.
func filenameFault(name string) *problem.Problem {
	switch {
	case name == "":
		return invalid("filename", "is required")
	case len(name) > attachments.MaxFilename || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return invalid("filename",
			fmt.Sprintf("must be %d bytes of UTF-8 at most, without control characters", attachments.MaxFilename))
	default:
		return nil
	}
}

// expiry returns when a file expires by what its uploader says, in seconds from its creation; 0: nothing. What is longer than
// files are kept is as long as they are, which the answer says.
func expiry(created time.Time, anchor string, seconds int64) (time.Time, *problem.Problem) {
	switch {
	case seconds == 0 && anchor == "":
		seconds = mostExpiry
	case anchor != "created_at":
		return time.Time{}, invalid("expires_after", "must have the anchor created_at")
	case seconds < leastExpiry:
		return time.Time{}, invalid("expires_after", fmt.Sprintf("must be %d seconds at least", leastExpiry))
	}
	return created.Add(time.Duration(min(seconds, mostExpiry)) * time.Second), nil
}

// typeOf returns the media type of a file: what its uploader says, or if that is nothing, what its name says.
func typeOf(given, name string) string {
	typ, params, err := mime.ParseMediaType(given)
	if err != nil || typ == "application/octet-stream" {
		if typ, params, err = mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(path.Ext(name)))); err != nil {
			return ""
		}
	}
	if typ = mime.FormatMediaType(typ, params); len(typ) > maxType {
		return ""
	}
	return typ
}

// maxType bounds a media type, in bytes: the registered ones are shorter (RFC 6838, section 4.2).
const maxType = 127

// mediaType returns the request's media type, "" if it cannot be read.
func mediaType(r *http.Request) string {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return typ
}
