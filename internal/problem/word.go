package problem

import "net/http"

// Word names a kind of problem: the last part of its type URI, and the word to log and count it by. The set is closed.
type Word string

// The words.
const (
	Malformed            Word = "malformed"              // the bytes are no JSON, or not the JSON they should be
	Unauthenticated      Word = "unauthenticated"        // no key, or one that is not known
	Forbidden            Word = "forbidden"              // the key may not use what the request names
	NotFound             Word = "not-found"              // no such path, or no such request of this tenant
	MethodNotAllowed     Word = "method-not-allowed"     // the path is right, the method is not
	NotAcceptable        Word = "not-acceptable"         // what the path has, the caller does not take
	Timeout              Word = "timeout"                // the body did not arrive in the server's time
	TooLarge             Word = "too-large"              // the body is over the limit
	UnsupportedMediaType Word = "unsupported-media-type" // the content type or encoding is not taken
	Conflict             Word = "conflict"               // what is named is not in a state for this
	Invalid              Word = "invalid"                // well-formed, but not a valid request
	IDReused             Word = "id-reused"              // the request's id was used with another body
	RateLimited          Word = "rate-limited"           // too many requests in too short a time
	QueueFull            Word = "queue-full"             // too many of the tenant's requests have not ended
	TooManyStreams       Word = "too-many-streams"       // too many streams of the tenant are open
	BudgetSpent          Word = "budget-spent"           // the tenant may spend no more before its next period
	Internal             Word = "internal"               // a fault of ours
	Unavailable          Word = "unavailable"            // cannot be taken now; a later try may do
	WouldMissDeadline    Word = "would-miss-deadline"    // so much waits that its deadline would pass first
)

type kind struct {
	status int
	title  string
}

// kinds is the one table of what a word means over HTTP.
var kinds = map[Word]kind{
	Malformed:            {http.StatusBadRequest, "The request is malformed"},
	Unauthenticated:      {http.StatusUnauthorized, "A valid key is required"},
	Forbidden:            {http.StatusForbidden, "The key does not allow this"},
	NotFound:             {http.StatusNotFound, "Not found"},
	MethodNotAllowed:     {http.StatusMethodNotAllowed, "The method is not allowed here"},
	NotAcceptable:        {http.StatusNotAcceptable, "This is not had in the form that is asked for"},
	Timeout:              {http.StatusRequestTimeout, "The request took too long to arrive"},
	TooLarge:             {http.StatusRequestEntityTooLarge, "The request is too large"},
	UnsupportedMediaType: {http.StatusUnsupportedMediaType, "The content type is not supported"},
	Conflict:             {http.StatusConflict, "The state does not allow this"},
	Invalid:              {http.StatusUnprocessableEntity, "The request is not valid"},
	IDReused:             {http.StatusUnprocessableEntity, "The request's id was used with another body"},
	RateLimited:          {http.StatusTooManyRequests, "Too many requests"},
	QueueFull:            {http.StatusTooManyRequests, "Too many requests are waiting"},
	TooManyStreams:       {http.StatusTooManyRequests, "Too many streams are open"},
	BudgetSpent:          {http.StatusTooManyRequests, "The budget is spent"},
	Internal:             {http.StatusInternalServerError, "Something went wrong on this side"},
	Unavailable:          {http.StatusServiceUnavailable, "The request cannot be taken now"},
	WouldMissDeadline:    {http.StatusServiceUnavailable, "The request would miss its deadline"},
}
