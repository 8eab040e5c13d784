package attachments

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

// Bounds of an image that is fetched by its URL.
const (
	fetchTimeout = 20 * time.Second
	fetchMost    = 64 << 20
)

// fetched puts an image in the place of its URL. It is fetched before the call, since its size is part of the request, into a
// file that has no name any more: it is gone when ctx is done, which is that of the attempt, and with the process.
func (x *expansion) fetched(s spot) error {
	u, err := url.Parse(s.text)
	if err != nil {
		return refusal(events.CodeDataMissing, "An image's URL is none.", nil)
	}
	image, err := x.fetch(u)
	switch _, local := errors.AsType[*fs.PathError](err); {
	case x.ctx.Err() != nil:
		return x.ctx.Err()
	case local:
		return hop.Unavailable(fmt.Errorf("attachments: room for an image: %w", err))
	case err != nil:
		// Of what went wrong the caller is told the host, and nothing that only this side of it can know.
		return refusal(events.CodeDataMissing,
			"The image at the host "+quoted(u.Hostname())+" could not be fetched: "+saying(err)+".", nil)
	}
	x.replace(s, dataURL(image.typ), segment{size: image.size, source: image.open}, `"`)
	return nil
}

// download is an image in a file without a name.
type download struct {
	typ  string
	size int64
	file *os.File
}

// open reads the file from its start. It may be opened more than once.
func (d download) open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(d.file, 0, d.size)), nil
}

// fetchError is why an image could not be fetched, as its caller is told.
type fetchError string

func (e fetchError) Error() string { return string(e) }

func saying(err error) string {
	if said, ok := errors.AsType[fetchError](err); ok {
		return string(said)
	}
	return "no answer came from there, or it may not be reached"
}

func (x *expansion) fetch(u *url.URL) (download, error) {
	most := int64(fetchMost)
	if x.FetchMost != nil && x.FetchMost() > 0 {
		most = x.FetchMost()
	}
	ctx, cancel := context.WithTimeout(x.ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return download{}, fetchError("its URL is none")
	}
	req.Header.Set("Accept", "image/*")
	res, err := x.Fetch.RoundTrip(req)
	if err != nil {
		return download{}, err
	}
	defer func() { _ = res.Body.Close() }()
	typ, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		return download{}, fetchError(fmt.Sprintf("the answer has status %d, and no redirect is followed", res.StatusCode))
	case err != nil || !strings.HasPrefix(typ, "image/"):
		return download{}, fetchError("what is there is no image, by its content type")
	case res.ContentLength > most:
		return download{}, fetchError(fmt.Sprintf("it has more than %d bytes", most))
	}
	file, err := nameless()
	if err != nil {
		return download{}, err
	}
	size, err := io.Copy(file, io.LimitReader(res.Body, most+1))
	switch {
	case err == nil && size > most:
		err = fetchError(fmt.Sprintf("it has more than %d bytes", most))
	case err == nil && res.ContentLength >= 0 && size != res.ContentLength:
		err = fetchError("it ended too early")
	}
	if err != nil {
		_ = file.Close()
		return download{}, err
	}
	context.AfterFunc(x.ctx, func() { _ = file.Close() })
	return download{typ, size, file}, nil
}

// nameless returns a new file that no directory has.
func nameless() (*os.File, error) {
	file, err := os.CreateTemp("", "baton-image-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
