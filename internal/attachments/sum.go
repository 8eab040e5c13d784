package attachments

import (
	"fmt"

	"baton.dev/baton/events"
)

// Bounds of what one request refers to. A reference is a few bytes, and what it stands for is not: without them one small
// request has gigabytes sent, and fills the disk that images are fetched to.
const (
	maxReferences = maxParts // that are put back, each time that one stands in the messages
	maxFetched    = 64       // images that are fetched, each of which is an open file
	defaultMost   = 64 << 20 // bytes of an image that is fetched
)

// sum is what the references of a request come to.
type sum struct {
	most       int64 // bytes of one image that is fetched; all that is put back may have [partsTogether] times as many
	references int
	fetched    int
	bytes      int64
}

// left returns how many bytes there may still be.
func (s *sum) left() int64 { return partsTogether*s.most - s.bytes }

// refer counts a reference to a content of the size, or says why it is one too many. That is the caller's doing, and of the
// request as a whole: it is [events.CodeInvalidRequest].
func (s *sum) refer(size int64) error {
	s.references++
	s.bytes += size
	switch {
	case s.references > maxReferences:
		return refusal(events.CodeInvalidRequest,
			fmt.Sprintf("The request refers to more than %d images, recordings and files.", maxReferences), nil)
	case s.left() < 0:
		return refusal(events.CodeInvalidRequest, s.tooMuch(), nil)
	default:
		return nil
	}
}

// fetch counts an image that is to be fetched, or says why it is one too many.
func (s *sum) fetch() error {
	s.fetched++
	if s.fetched > maxFetched {
		return refusal(events.CodeInvalidRequest, fmt.Sprintf("The request names more than %d images by their URLs.", maxFetched), nil)
	}
	return nil
}

func (s *sum) tooMuch() string {
	return fmt.Sprintf("What the request refers to has more than %d bytes together.", partsTogether*s.most)
}
