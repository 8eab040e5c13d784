package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/problem"
)

// uploadTime is how long the URL of an upload is good for.
const uploadTime = 15 * time.Minute

// maxAnnouncement bounds the body of an announcement.
const maxAnnouncement = 16 << 10

// announcement is a file whose content comes later, as its caller describes it.
type announcement struct {
	Filename     string `json:"filename"`
	Purpose      string `json:"purpose"`
	Bytes        int64  `json:"bytes"`
	ContentType  string `json:"content_type"`
	SHA256       string `json:"sha256"`
	ExpiresAfter struct {
		Anchor  string `json:"anchor"`
		Seconds int64  `json:"seconds"`
	} `json:"expires_after"`
}

// announce answers the announcement of a file with where its content goes.
func (f *Files) announce(x *ingest.Exchange, r *http.Request) *problem.Problem {
	file, p := f.announced(x, r)
	if p != nil {
		return p
	}
	if _, p := f.room(r.Context(), x.Tenant, file.Size); p != nil {
		return p
	}
	until := f.cfg.Now().Add(uploadTime).UTC()
	upload := &Upload{Method: http.MethodPut, ExpiresAt: until.Unix()}
	record := pending{tenant: x.Tenant.Name, file: file, until: until}
	var err error
	if store, ok := f.cfg.Objects.(objects.Presigner); ok {
		upload.URL, upload.Headers, err = store.PresignPut(r.Context(), file.Info(x.Tenant.Name), until)
		if err != nil {
			return f.unread("presign", err)
		}
	} else {
		token := rand.Text() + rand.Text() // of 130 bits each
		record.token = digest(token)
		upload.URL = at(r) + root + "/" + file.ID + "/content?token=" + token
		upload.Headers = map[string]string{"content-type": typeOrBytes(file.Type)}
	}
	if err := f.remember(r.Context(), record); err != nil {
		return f.unread("announce", err)
	}
	said := objectOf(file, StatusPending)
	said.Upload = upload
	return answer(x, said)
}

// announced reads an announcement.
func (f *Files) announced(x *ingest.Exchange, r *http.Request) (attachments.File, *problem.Problem) {
	var a announcement
	dec := json.NewDecoder(http.MaxBytesReader(x.ResponseWriter, r.Body, maxAnnouncement))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil || dec.More() {
		return attachments.File{}, problem.New(problem.Malformed,
			"The body must be a JSON object with filename, purpose, bytes, content_type and, if wanted, sha256 and expires_after.")
	}
	now := f.cfg.Now().UTC()
	file := attachments.File{
		ID: attachments.NewFileID(), Filename: a.Filename, Purpose: a.Purpose, Type: typeOf(a.ContentType, a.Filename),
		Size: a.Bytes, Digest: strings.ToLower(a.SHA256), Created: now,
	}
	if p := filenameFault(a.Filename); p != nil {
		return file, p
	}
	if p := purposeFault(a.Purpose); p != nil {
		return file, p
	}
	sum, err := hex.DecodeString(a.SHA256)
	switch most := limit(x.Catalog); {
	case a.Bytes <= 0:
		return file, invalid("bytes", "must be the size of the file, 1 at least")
	case a.Bytes > most:
		return file, tooLarge(most)
	case a.SHA256 != "" && (err != nil || len(sum) != sha256.Size):
		return file, invalid("sha256", "must be the SHA-256 of the file, in hexadecimal")
	}
	var p *problem.Problem
	file.Expires, p = expiry(now, a.ExpiresAfter.Anchor, a.ExpiresAfter.Seconds)
	return file, p
}

// at returns the address that the caller reached this process by.
func at(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}

func typeOrBytes(typ string) string {
	if typ == "" {
		return "application/octet-stream"
	}
	return typ
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// pending is a file that was announced.
type pending struct {
	tenant string
	file   attachments.File
	token  string    // the SHA-256 of what the URL of its upload has; "": it is uploaded elsewhere
	until  time.Time // when its upload must have begun
	over   bool      // it was uploaded
}

// open reports whether its upload may begin.
func (p pending) open(now time.Time) bool { return !p.over && now.Before(p.until) }

// Names of the metadata of an announcement, beside those of the file.
const (
	tenantName  = "tenant"
	tokenName   = "token"
	bytesName   = "bytes"
	digestName  = "sha256"
	typeName    = "type"
	createdName = "created"
	openName    = "open" // until, in seconds of Unix time
	overName    = "over"
)

func pendingKey(id string) string { return "uploads/" + id }

// remember keeps an announcement for as long as its file would be kept, however long its upload takes: that it is gone says that
// the file was deleted.
func (f *Files) remember(ctx context.Context, p pending) error {
	m := map[string]string{
		tenantName: p.tenant, tokenName: p.token, bytesName: strconv.FormatInt(p.file.Size, 10), digestName: p.file.Digest,
		typeName: p.file.Type, createdName: p.file.Created.Format(time.RFC3339Nano),
		openName: strconv.FormatInt(p.until.Unix(), 10),
	}
	if p.over {
		m[overName] = "1"
	}
	maps.Copy(m, p.file.Info(p.tenant).Metadata)
	in := objects.Info{Key: pendingKey(p.file.ID), Expires: p.file.Expires, Metadata: m}
	_, err := f.cfg.Objects.Put(ctx, in, bytes.NewReader(nil))
	return err
}

// pending returns the file that was announced by the id, or an error that is [objects.ErrNotFound].
func (f *Files) pending(ctx context.Context, id string) (pending, error) {
	if !attachments.ValidFileID(id) {
		return pending{}, objects.ErrNotFound
	}
	info, err := f.cfg.Objects.Stat(ctx, pendingKey(id))
	if err != nil {
		return pending{}, err
	}
	p := pending{tenant: info.Metadata[tenantName], token: info.Metadata[tokenName], over: info.Metadata[overName] != ""}
	p.file, _ = attachments.FileOf(info, f.cfg.Now())
	p.file.Type, p.file.Digest = info.Metadata[typeName], info.Metadata[digestName]
	open, err3 := strconv.ParseInt(info.Metadata[openName], 10, 64)
	p.until = time.Unix(open, 0)
	var err1, err2 error
	p.file.Size, err1 = strconv.ParseInt(info.Metadata[bytesName], 10, 64)
	p.file.Created, err2 = time.Parse(time.RFC3339Nano, info.Metadata[createdName])
	return p, errors.Join(err1, err2, err3)
}

// put answers the upload of a file that was announced. Who has the URL may send the content, once: when it is stored the
// announcement is over. Of two uploads at the same time both are taken, and the one that ends last stands. One that breaks off
// may be sent again.
//
// A file that is deleted while it is uploaded does not come back: what deletes it removes the announcement first, and then the
// file; here the file is stored first, and then the announcement looked for. A crash between the two leaves a file that was
// deleted, until it expires.
func (f *Files) put(x *ingest.Exchange, r *http.Request) *problem.Problem {
	token := r.URL.Query().Get("token")
	p, err := f.pending(r.Context(), r.PathValue("id"))
	switch {
	case err != nil && !errors.Is(err, objects.ErrNotFound):
		return f.unread("upload", err)
	case err != nil || !p.open(f.cfg.Now()) || token == "" || p.token == "" ||
		subtle.ConstantTimeCompare([]byte(digest(token)), []byte(p.token)) == 0:
		return problem.New(problem.NotFound, "There is no such upload, or it is over.").With("Connection", "close")
	case r.ContentLength >= 0 && r.ContentLength != p.file.Size:
		return problem.New(problem.Malformed, fmt.Sprintf("The upload was announced with %d bytes.", p.file.Size)).
			With("Connection", "close")
	}
	if p := f.mayStore(x, r, p); p != nil {
		return p.With("Connection", "close")
	}
	x.TakeTime()
	content := &announcedContent{from: r.Body, file: p.file, left: p.file.Size, sum: sha256.New()}
	kept, err := attachments.PutFile(r.Context(), f.cfg.Objects, p.tenant, p.file, content)
	switch {
	case content.problem != nil:
		return content.problem.With("Connection", "close")
	case err != nil:
		return f.unread("put", err).With("Connection", "close")
	}
	if p := f.finish(r.Context(), p); p != nil {
		return p
	}
	return answer(x, objectOf(kept, StatusProcessed))
}

// mayStore says why an announced file may not be stored now: its tenant is gone, is too fast, or keeps too much.
func (f *Files) mayStore(x *ingest.Exchange, r *http.Request, p pending) *problem.Problem {
	tenant, ok := x.Catalog.Tenants[p.tenant]
	if !ok {
		return problem.New(problem.NotFound, "There is no such upload, or it is over.")
	}
	x.Tenant = tenant
	if p := f.cfg.Limited(x, r); p != nil {
		return p
	}
	_, full := f.room(r.Context(), tenant, p.file.Size)
	return full
}

// finish ends the announcement of a file that is stored, or removes the file if it was deleted meanwhile.
func (f *Files) finish(ctx context.Context, p pending) *problem.Problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	_, err := f.pending(ctx, p.file.ID)
	if err != nil {
		if err := f.cfg.Objects.Delete(ctx, attachments.FileKey(p.tenant, p.file.ID)); err != nil {
			f.cfg.Log.Error("a file that was deleted while it was uploaded stays until it expires", "file", p.file.ID, "error", err)
		}
		return f.unread("upload", err)
	}
	p.over = true
	if err := f.remember(ctx, p); err != nil {
		f.cfg.Log.Warn("upload is left open until it expires", "file", p.file.ID, "error", err)
	}
	return nil
}

// finishTimeout bounds what is done after a file was stored, for which its caller need not wait.
const finishTimeout = 10 * time.Second

// announcedContent is the content of an upload, which ends only if it is what was announced.
type announcedContent struct {
	from io.Reader
	file attachments.File
	left int64
	sum  interface {
		io.Writer
		Sum(b []byte) []byte
	}
	problem *problem.Problem
}

// Read implements [io.Reader].
func (c *announcedContent) Read(b []byte) (int, error) {
	if c.problem != nil {
		return 0, errors.New("files: " + c.problem.Detail)
	}
	n, err := c.from.Read(b)
	c.left -= int64(n)
	_, _ = c.sum.Write(b[:n]) // it never fails
	ended := errors.Is(err, io.EOF)
	switch {
	case c.left < 0, ended && c.left > 0:
		c.problem = problem.New(problem.Malformed, fmt.Sprintf("The upload was announced with %d bytes.", c.file.Size))
	case err != nil && !ended:
		c.problem = problem.New(problem.Malformed, "The upload broke off.")
	case ended && c.file.Digest != "" && hex.EncodeToString(c.sum.Sum(nil)) != c.file.Digest:
		c.problem = problem.New(problem.Malformed, "The upload was announced with another SHA-256.")
	default:
		return n, err
	}
	return 0, errors.New("files: " + c.problem.Detail)
}
