package simulated

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
)

// storedFile is a file that was uploaded, or written by a batch.
type storedFile struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int    `json:"bytes"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt *int64 `json:"expires_at"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
	Status    string `json:"status"`

	content []byte
	sum     attachment
}

// store keeps a file.
func (s *Server) store(name, purpose string, content []byte) *storedFile {
	sum := sha256.Sum256(content)
	f := &storedFile{
		ID: "file-" + strconv.FormatUint(s.number.Add(1), 10), Object: "file", Bytes: len(content), CreatedAt: s.now().Unix(),
		Filename: name, Purpose: purpose, Status: "processed", content: content,
		sum: attachment{hex.EncodeToString(sum[:]), int64(len(content))},
	}
	s.kept.keepFile(f)
	return f
}

var purposes = []string{"assistants", "batch", "fine-tune", "vision", "user_data", "evals"}

func (s *Server) uploadFile(w http.ResponseWriter, r *http.Request) {
	form, err := r.MultipartReader()
	if err != nil {
		bad("Invalid Content-Type header: expected 'multipart/form-data'.", "", "").write(w)
		return
	}
	u, f := readUpload(form)
	if f != nil {
		f.write(w)
		return
	}
	write(w, s.store(u.name, u.purpose, u.content))
}

type upload struct {
	name, purpose string
	content       []byte
	given         bool
}

func readUpload(form *multipart.Reader) (u upload, f *fault) {
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return u, u.check()
		case err != nil:
			return u, bad("The request's body breaks off.", "", "")
		}
		var text bytes.Buffer
		n, err := text.ReadFrom(io.LimitReader(part, bodyLimit+1))
		switch {
		case err != nil:
			return u, bad("The request's body breaks off.", "", "")
		case n > bodyLimit:
			return u, &fault{http.StatusRequestEntityTooLarge, "The file is too large.", "file", "request_too_large"}
		}
		switch part.FormName() {
		case "purpose":
			u.purpose = text.String()
		case "file":
			u.name, u.content, u.given = part.FileName(), text.Bytes(), true
		}
	}
}

func (u upload) check() *fault {
	switch {
	case !u.given:
		return missing("file")
	case u.purpose == "":
		return missing("purpose")
	case !slices.Contains(purposes, u.purpose):
		return wrongValue("purpose", u.purpose, purposes...)
	}
	return nil
}

func (s *Server) listFiles(w http.ResponseWriter, r *http.Request) {
	limit, f := limitOf(r)
	if f != nil {
		f.write(w)
		return
	}
	all, more := page(s.kept, &s.kept.files, func(f *storedFile) string { return f.ID }, r.URL.Query().Get("after"), maxKept)
	if purpose := r.URL.Query().Get("purpose"); purpose != "" {
		all = slices.DeleteFunc(all, func(f *storedFile) bool { return f.Purpose != purpose })
	}
	if len(all) > limit {
		all, more = all[:limit], true
	}
	write(w, listed(all, more, func(f *storedFile) string { return f.ID }))
}

// limitOf returns how many a list is to have at most.
func limitOf(r *http.Request) (int, *fault) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 20, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, wrongType("limit", "an integer", "a string")
	}
	return whole("limit", &n, 1, 10_000)
}

func listed[T any](all []T, more bool, id func(T) string) list[T] {
	l := list[T]{Object: "list", Data: all, HasMore: &more}
	if len(all) == 0 {
		l.Data = []T{}
		return l
	}
	first, last := id(all[0]), id(all[len(all)-1])
	l.FirstID, l.LastID = &first, &last
	return l
}

// withFile answers for the file of the path, if it is there.
func (s *Server) withFile(w http.ResponseWriter, r *http.Request, answer func(*storedFile)) {
	id := r.PathValue("id")
	f, ok := s.kept.file(id)
	if !ok {
		(&fault{http.StatusNotFound, "No such File object: " + id, "id", ""}).write(w)
		return
	}
	answer(f)
}

func (s *Server) getFile(w http.ResponseWriter, r *http.Request) {
	s.withFile(w, r, func(f *storedFile) { write(w, f) })
}

func (s *Server) getContent(w http.ResponseWriter, r *http.Request) {
	s.withFile(w, r, func(f *storedFile) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(f.content)))
		_, _ = w.Write(f.content)
	})
}

// deleted is the answer to a deletion.
type deleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) {
	s.withFile(w, r, func(f *storedFile) {
		drop(s.kept, &s.kept.files, func(kept *storedFile) bool { return kept == f })
		write(w, deleted{f.ID, "file", true})
	})
}
