package files

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/problem"
)

// Bounds of a form: bytes of a field that is no file, and how many parts there are.
const (
	maxField  = 1 << 10
	maxFields = 16
)

// upload answers a form with the file. The content goes to the store as it comes. Fields may come after it, as official clients
// send them: the object's metadata is complete when its content has ended, and what is wrong with them by then is an error of
// the content, so that nothing is stored.
func (f *Files) upload(x *ingest.Exchange, r *http.Request) *problem.Problem {
	x.TakeTime()
	parts, err := r.MultipartReader()
	if err != nil {
		return problem.New(problem.Malformed, "The form cannot be read: its content type has no boundary.")
	}
	most := limit(x.Catalog)
	if r.ContentLength > most+maxField*maxFields*2 {
		return tooLarge(most)
	}
	left, p := f.room(r.Context(), x.Tenant, r.ContentLength-maxField*maxFields*2)
	if p != nil {
		return p.With("Connection", "close")
	}
	now := f.cfg.Now().UTC()
	u := &form{parts: parts, left: min(most, left), over: tooLarge(most), file: attachments.File{
		ID: attachments.NewFileID(), Created: now, Expires: now.Add(attachments.FileLifetime),
	}}
	if left < most {
		u.over = f.noRoom()
	}
	if p := u.toFile(); p != nil {
		return p.With("Connection", "close")
	}
	in := u.file.Info(x.Tenant.Name)
	u.metadata = in.Metadata
	info, err := f.cfg.Objects.Put(r.Context(), in, u)
	switch {
	case u.problem != nil:
		return u.problem.With("Connection", "close")
	case err != nil:
		return f.unread("put", err).With("Connection", "close")
	}
	kept, _ := attachments.FileOf(info, now)
	return answer(x, objectOf(kept, StatusProcessed))
}

// form is a form that is read. It is the content of its file, and ends when all of the form is read and is as it must be.
type form struct {
	parts    *multipart.Reader
	content  io.Reader // of the file's part
	file     attachments.File
	anchor   string
	seconds  int64
	fields   int
	metadata map[string]string // of the object

	left    int64            // bytes that the file may still have
	over    *problem.Problem // of one that has more
	problem *problem.Problem
}

// toFile reads the form up to the content of the file.
func (u *form) toFile() *problem.Problem {
	part, p := u.next()
	switch {
	case p != nil:
		return p
	case part == nil:
		return invalid("file", "is required")
	}
	u.content = part
	u.file.Filename = part.FileName()
	u.file.Type = typeOf(part.Header.Get("Content-Type"), u.file.Filename)
	if p := filenameFault(u.file.Filename); p != nil {
		return p
	}
	if u.file.Purpose != "" { // what is known to be wrong is said before the content comes
		return purposeFault(u.file.Purpose)
	}
	return nil
}

// next reads fields up to the next file, which it returns; nil at the end of the form.
func (u *form) next() (*multipart.Part, *problem.Problem) {
	for ; u.fields < maxFields; u.fields++ {
		part, err := u.parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil // the end is no problem
		case err != nil:
			return nil, problem.New(problem.Malformed, "The form broke off, or is none.")
		}
		if part.FormName() == "file" {
			return part, nil
		}
		if p := u.field(part); p != nil {
			return nil, p
		}
	}
	return nil, problem.New(problem.Malformed, fmt.Sprintf("The form has more than %d fields.", maxFields))
}

// field reads a field that is no file. Unknown ones are passed over.
func (u *form) field(part *multipart.Part) *problem.Problem {
	value, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return problem.New(problem.Malformed, "The form broke off.")
	}
	if len(value) > maxField {
		return problem.New(problem.TooLarge, fmt.Sprintf("A field of the form has more than %d bytes.", maxField))
	}
	switch part.FormName() {
	case "purpose":
		u.file.Purpose = string(value)
	case "expires_after[anchor]":
		u.anchor = string(value)
	case "expires_after[seconds]":
		if u.seconds, err = strconv.ParseInt(string(value), 10, 64); err != nil || u.seconds <= 0 {
			return invalid("expires_after", "must be a number of seconds")
		}
	}
	return nil
}

// Read implements [io.Reader].
func (u *form) Read(p []byte) (int, error) {
	if u.problem != nil {
		return 0, u.failed()
	}
	n, err := u.content.Read(p)
	u.left -= int64(n)
	switch {
	case u.left < 0:
		u.problem = u.over
	case errors.Is(err, io.EOF):
		u.problem = u.rest()
	case err != nil:
		u.problem = problem.New(problem.Malformed, "The form broke off.")
	}
	if u.problem != nil {
		return 0, u.failed()
	}
	return n, err
}

func (u *form) failed() error { return errors.New("files: " + u.problem.Detail) }

// rest reads what comes after the file, and completes the object's metadata.
func (u *form) rest() *problem.Problem {
	another, p := u.next()
	switch {
	case p != nil:
		return p
	case another != nil:
		return invalid("file", "is given twice")
	}
	if p := purposeFault(u.file.Purpose); p != nil {
		return p
	}
	if u.file.Expires, p = expiry(u.file.Created, u.anchor, u.seconds); p != nil {
		return p
	}
	u.file.Describe(u.metadata)
	return nil
}
