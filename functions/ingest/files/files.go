// Package files is the part of the HTTP interface by which callers upload files, in OpenAI's shape: /v1/files. Requests name
// them by their ids, so that what is large is uploaded once, and past the size of a request's body.
//
// A file is an object of its tenant's (see [attachments.File]), and its record is the object's metadata: it is there whole or
// not at all. It is streamed to the store and from it, and never held in memory. Files expire: those of callers after two days at
// the latest, and those that the chain makes when it says ([Files.Keep]).
//
// A file that is to be uploaded later, or past this process, is announced first. Its caller gets a URL to put the content to: of
// the store's own where that signs such URLs, and else of Baton's, which is good for one upload of what was announced, by whoever
// has it, for 15 minutes. The announcement is an object of its own, which expires when its file would.
//
// Uploads count against their tenant's rate, and what a tenant keeps is bounded. A URL of the store's own cannot be taken back:
// by it a file that was deleted can be uploaded again within the 15 minutes.
//
// [attachments.File]: https://pkg.go.dev/baton.dev/baton/internal/attachments#File
package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// Config is what [Files] are made of. The fields that are not marked are required.
type Config struct {
	// Objects keeps the files. It is a [objects.Lister], or files cannot be listed. If it is a [objects.Presigner], files that
	// are announced are uploaded to it directly.
	Objects objects.Store
	// TenantBytes is how many bytes of files a tenant may keep; 0: 10 GiB. Its files are counted where the store can list them.
	TenantBytes int64
	// Limited counts the upload of an announced file against its tenant's rate, which the exchange then has, and says whether it
	// is too fast. See [ingest.Server.Limited]. Nil: rates are not looked at.
	Limited func(x *ingest.Exchange, r *http.Request) *problem.Problem
	Refuse  func(x *ingest.Exchange, p *problem.Problem) // answers with a problem; nil: as RFC 9457 has it
	Now     func() time.Time                             // nil: time.Now
	Log     *slog.Logger                                 // nil: nothing is logged
}

// Files answers /v1/files. It is safe for concurrent use, and keeps nothing between requests.
type Files struct{ cfg Config }

// New returns the part of the interface made of cfg.
func New(cfg Config) *Files {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.TenantBytes == 0 {
		cfg.TenantBytes = defaultTenantBytes
	}
	if cfg.Limited == nil {
		cfg.Limited = func(*ingest.Exchange, *http.Request) *problem.Problem { return nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Files{cfg}
}

const root = "/v1/files"

// Routes returns the paths to mount.
func (f *Files) Routes() []ingest.Route {
	return []ingest.Route{
		// An upload counts like a request.
		{Pattern: root, Refuse: f.cfg.Refuse, Submits: true, Methods: map[string]ingest.Handler{http.MethodPost: f.create}},
		{Pattern: root, Refuse: f.cfg.Refuse, Methods: map[string]ingest.Handler{http.MethodGet: f.list}},
		{Pattern: root + "/{id}", Refuse: f.cfg.Refuse, Methods: map[string]ingest.Handler{
			http.MethodGet: f.retrieve, http.MethodDelete: f.remove,
		}},
		{Pattern: root + "/{id}/content", Refuse: f.cfg.Refuse, Methods: map[string]ingest.Handler{http.MethodGet: f.content}},
		// The URL of an upload is all that its bearer has.
		{Pattern: root + "/{id}/content", Refuse: f.cfg.Refuse, Open: true, Methods: map[string]ingest.Handler{http.MethodPut: f.put}},
	}
}

// Keep stores a file that the chain made for a tenant, which can then read it like any other.
func (f *Files) Keep(ctx context.Context, tenant, id, name, purpose string, expires time.Time, content io.Reader) error {
	_, err := attachments.PutFile(ctx, f.cfg.Objects, tenant, attachments.File{
		ID: id, Filename: name, Purpose: purpose, Type: typeOf("", name), Expires: expires,
	}, content)
	return err
}

// create answers POST /v1/files: with a form, which has the file, or with JSON, which announces one.
func (f *Files) create(x *ingest.Exchange, r *http.Request) *problem.Problem {
	switch mediaType(r) {
	case "multipart/form-data":
		return f.upload(x, r)
	case "application/json":
		return f.announce(x, r)
	default:
		return problem.New(problem.UnsupportedMediaType,
			"Send the file as multipart/form-data, or announce it as application/json.").
			With("Accept-Post", "multipart/form-data, application/json")
	}
}

// Object is a file as OpenAI shapes it.
type Object struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int64  `json:"bytes"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt int64  `json:"expires_at"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
	Status    string `json:"status"` // StatusProcessed or StatusPending

	Upload *Upload `json:"upload,omitempty"` // of a file that was announced just now
}

// The statuses. Official clients wait for processed before they use a file.
const (
	StatusProcessed = "processed" // it is there
	StatusPending   = "pending"   // it was announced
)

// Upload is how the content of a file that was announced is sent.
type Upload struct {
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	ExpiresAt int64             `json:"expires_at"`
}

// objectOf returns what is said of a file.
func objectOf(f attachments.File, status string) Object {
	return Object{
		ID: f.ID, Object: "file", Bytes: f.Size, CreatedAt: f.Created.Unix(), ExpiresAt: f.Expires.Unix(),
		Filename: f.Filename, Purpose: f.Purpose, Status: status,
	}
}

// answer answers with a value as JSON.
func answer(x *ingest.Exchange, v any) *problem.Problem {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings
	}
	x.WriteJSON(http.StatusOK, append(body, '\n'))
	return nil
}

// absent is the problem of a file that there is not, or not for this key.
func absent() *problem.Problem {
	return problem.New(problem.NotFound, "There is no such file, or it is no longer kept.")
}

// unread is the problem of a store that did not answer, or of a file that is not there.
func (f *Files) unread(what string, err error) *problem.Problem {
	if errors.Is(err, objects.ErrNotFound) {
		return absent()
	}
	f.cfg.Log.Error("object store", "step", what, "error", err)
	if errors.Is(err, objects.ErrFull) {
		return problem.New(problem.Unavailable, "There is no room for more files at the moment.").With("Retry-After", retryFull)
	}
	return problem.New(problem.Unavailable, "The files cannot be reached now. The same request may be sent again.").
		With("Retry-After", retryAfter)
}

// What a 503 asks for, in seconds: of a store that is away, and of one that is full.
const (
	retryAfter = "2"
	retryFull  = "60"
)

func invalid(field, detail string) *problem.Problem {
	return problem.New(problem.Invalid, fmt.Sprintf("The field %s %s.", field, detail),
		problem.FieldError{Pointer: "/" + field, Detail: detail})
}
