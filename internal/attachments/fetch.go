package attachments

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/egress"
	"baton.dev/baton/internal/hop"
)

// fetchTimeout bounds the time in which all images of a request are fetched.
const fetchTimeout = 30 * time.Second

// A host that does not answer is asked again this often: over the first eight minutes. What the event waited for otherwise
// counts, too: it does not say what for.
const fetchTries = 10

var fetchPause = hop.Backoff{Base: time.Second, Max: 2 * time.Minute}

// fetched puts an image in the place of its URL. It is fetched before the call, since its size is part of the request, into a
// file that has no name any more: it is gone when ctx is done, which is that of the attempt, and with the process. The same URL
// is fetched once.
func (x *expansion) fetched(s spot) error {
	image, ok := x.images[s.text]
	if !ok {
		var err error
		if image, err = x.image(s.text); err != nil {
			return err
		}
		x.images[s.text] = image
	}
	return x.replace(s, dataURL(image.typ), segment{size: image.size, source: image.open}, `"`)
}

// image fetches an image.
func (x *expansion) image(from string) (download, error) {
	u, err := url.Parse(from)
	if err != nil {
		return download{}, refusal(events.CodeDataMissing, "An image's URL is none.", nil)
	}
	if err := x.sum.fetch(); err != nil {
		return download{}, err
	}
	image, err := x.fetch(u)
	if err == nil {
		return image, nil
	}
	// The caller is told the host, and nothing that only this side of it can know, such as what answers there. That is for the log.
	said := "The image at the host " + quoted(u.Hostname()) + " could not be fetched"
	large, tooLarge := errors.AsType[sizeError](err)
	switch passing, later := errors.AsType[passingError](err); {
	case x.ctx.Err() != nil:
		return download{}, x.ctx.Err()
	case errors.Is(err, errNoRoom):
		return download{}, refusal(events.CodeInvalidRequest, x.sum.tooMuch(), nil)
	case isLocal(err):
		return download{}, hop.Unavailable(fmt.Errorf("attachments: room for an image: %w", err))
	case later && x.mayWait():
		err := fmt.Errorf("attachments: %s waits for an image of the host %s: %w", x.in.ID, quoted(u.Hostname()), passing)
		return download{}, hop.Park(err, x.nextFetch())
	case tooLarge:
		return download{}, refusal(events.CodeDataMissing, said+": "+large.Error()+".", large)
	default:
		return download{}, refusal(events.CodeDataMissing, said+".", err)
	}
}

// nextFetch returns when a host that did not answer is asked again.
func (x *expansion) nextFetch() time.Time { return x.now().Add(fetchPause.Delay(x.in.Copy, x.in.ID)) }

// mayWait reports whether it is.
func (x *expansion) mayWait() bool {
	return x.in.Copy < fetchTries && (x.in.Expiry.IsZero() || x.nextFetch().Before(x.in.Expiry))
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

// fetchError is why an image cannot be fetched.
type fetchError string

func (e fetchError) Error() string { return string(e) }

// sizeError is that an image has more bytes than so many.
type sizeError int64

func (e sizeError) Error() string { return fmt.Sprintf("it has more than %d bytes", int64(e)) }

// passingError is why an image could not be fetched just now: the host may do better a little later.
type passingError string

func (e passingError) Error() string { return string(e) }

// errNoRoom is for an image that is larger than what the request may still refer to.
var errNoRoom = errors.New("attachments: the image has no room left")

// isLocal reports whether it is the disk here that failed.
func isLocal(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

// transportError returns the error of a request without an answer, in words that hold nothing of its URL but the host. That
// there is no such host for us, or none to be trusted, is for good.
func transportError(err error) error {
	if blocked, ok := errors.AsType[*egress.BlockedError](err); ok {
		return blocked
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fetchError("its certificate is not to be trusted")
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return fetchError("there is no host of that name")
	}
	return passingError("no answer came from there")
}

// passes reports whether a host that answers with the status may do better a little later.
func passes(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		status == http.StatusTooEarly
}

func (x *expansion) fetch(u *url.URL) (download, error) {
	if x.fetchUntil.IsZero() {
		x.fetchUntil = time.Now().Add(fetchTimeout)
	}
	ctx, cancel := context.WithDeadline(x.ctx, x.fetchUntil)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return download{}, fetchError("its URL is none")
	}
	req.Header.Set("Accept", "image/*")
	res, err := x.Fetch.RoundTrip(req)
	if err != nil {
		return download{}, transportError(err)
	}
	defer func() { _ = res.Body.Close() }()
	typ, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case passes(res.StatusCode):
		return download{}, passingError(fmt.Sprintf("the answer has status %d", res.StatusCode))
	case res.StatusCode != http.StatusOK:
		return download{}, fetchError(fmt.Sprintf("the answer has status %d, and no redirect is followed", res.StatusCode))
	case err != nil || !strings.HasPrefix(typ, "image/"):
		return download{}, fetchError("what is there is no image, by its content type")
	}
	return x.store(res, typ)
}

// store keeps the content of an answer on disk.
func (x *expansion) store(res *http.Response, typ string) (download, error) {
	most := min(x.sum.most, x.sum.left())
	if res.ContentLength > most {
		return download{}, x.tooLarge(most)
	}
	file, err := nameless()
	if err != nil {
		return download{}, err
	}
	size, err := io.Copy(file, io.LimitReader(res.Body, most+1))
	switch {
	case err == nil && size > most:
		err = x.tooLarge(most)
	case err == nil && res.ContentLength >= 0 && size != res.ContentLength, err != nil && !isLocal(err):
		err = passingError("it ended too early")
	}
	if err != nil {
		_ = file.Close()
		return download{}, err
	}
	context.AfterFunc(x.ctx, func() { _ = file.Close() })
	return download{typ, size, file}, nil
}

// tooLarge is the error of an image that is larger than it may be: for one, or for what there is room for.
func (x *expansion) tooLarge(most int64) error {
	if most < x.sum.most {
		return errNoRoom
	}
	return sizeError(most)
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
