package files

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// retrieve answers GET /v1/files/{id}.
func (f *Files) retrieve(x *ingest.Exchange, r *http.Request) *problem.Problem {
	file, err := attachments.StatFile(r.Context(), f.cfg.Objects, x.Tenant.Name, r.PathValue("id"))
	if err == nil {
		return answer(x, objectOf(file, StatusProcessed))
	}
	if !errors.Is(err, objects.ErrNotFound) {
		return f.unread("stat", err)
	}
	p, err := f.pending(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		return f.unread("stat", err)
	case p.tenant != x.Tenant.Name || !p.open(f.cfg.Now()):
		return absent()
	}
	return answer(x, objectOf(p.file, StatusPending))
}

// deleted is what is said of a file that is no longer there.
type deleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

// remove answers DELETE /v1/files/{id}. A request under way that names the file fails by it.
func (f *Files) remove(x *ingest.Exchange, r *http.Request) *problem.Problem {
	id := r.PathValue("id")
	_, err := attachments.StatFile(r.Context(), f.cfg.Objects, x.Tenant.Name, id)
	there := err == nil
	if err != nil && !errors.Is(err, objects.ErrNotFound) {
		return f.unread("stat", err)
	}
	// What was announced goes with it: its URL must bring nothing back.
	p, err := f.pending(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, objects.ErrNotFound):
		return f.unread("stat", err)
	case err == nil && p.tenant == x.Tenant.Name:
		there = there || p.open(f.cfg.Now())
		err = f.cfg.Objects.Delete(r.Context(), pendingKey(id))
	default:
		err = nil
	}
	if !there {
		return absent()
	}
	if err == nil {
		err = f.cfg.Objects.Delete(r.Context(), attachments.FileKey(x.Tenant.Name, id))
	}
	if err != nil {
		return f.unread("delete", err)
	}
	return answer(x, deleted{id, "file", true})
}

// maxAnswered is how large a file may be that is answered where the store can send it itself: behind API Gateway an answer
// is held in memory, and 6 MB of JSON at most.
const maxAnswered = 4 << 20

// downloadTime is how long the URL of a download is good for.
const downloadTime = 5 * time.Minute

// content answers GET /v1/files/{id}/content with the file, as bytes of no type: no browser is to take it for anything. A file
// that turns out to be altered breaks the connection, so that it is not taken for a whole one. Where the store can send it, a
// large one is to be had there: clients follow, and leave their key behind, which is not for another host.
func (f *Files) content(x *ingest.Exchange, r *http.Request) *problem.Problem {
	if store, ok := f.cfg.Objects.(objects.PresignGetter); ok && r.Method != http.MethodHead {
		file, err := attachments.StatFile(r.Context(), f.cfg.Objects, x.Tenant.Name, r.PathValue("id"))
		if err != nil {
			return f.unread("stat", err)
		}
		if file.Size > maxAnswered {
			return f.elsewhere(x, r, store, file)
		}
	}
	file, content, err := attachments.OpenFile(r.Context(), f.cfg.Objects, x.Tenant.Name, r.PathValue("id"))
	if err != nil {
		return f.unread("get", err)
	}
	defer func() { _ = content.Close() }()
	h := x.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Filename}))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(x.Large(), content); err != nil {
		if r.Context().Err() == nil {
			f.cfg.Log.Error("file broke off", "file", file.ID, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// elsewhere answers with where the file is to be had.
func (f *Files) elsewhere(
	x *ingest.Exchange, r *http.Request, store objects.PresignGetter, file attachments.File,
) *problem.Problem {
	key := attachments.FileKey(x.Tenant.Name, file.ID)
	url, err := store.PresignGet(r.Context(), key, file.Filename, f.cfg.Now().Add(downloadTime))
	if err != nil {
		return f.unread("presign", err)
	}
	h := x.Header()
	h.Set("Location", url)
	h.Set("Cache-Control", "no-store")
	x.WriteHeader(http.StatusTemporaryRedirect)
	return nil
}
