package oip

import (
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/model"
)

// class is what a status of gRPC is to the chain: a code, and the HTTP status that says the same (google.rpc.Code), by
// which HTTP targets are classified.
type class struct {
	code string
	http int
}

// classes are those of the codes of gRPC.
var classes = map[codes.Code]class{
	codes.Canceled:           {events.CodeUnavailable, 499}, // by the server, as it stops: the caller's own never gets here
	codes.Unknown:            {events.CodeUnavailable, http.StatusInternalServerError},
	codes.InvalidArgument:    {events.CodeInvalidRequest, http.StatusBadRequest},
	codes.DeadlineExceeded:   {events.CodeTimeout, http.StatusGatewayTimeout},
	codes.NotFound:           {events.CodeUnknownModel, http.StatusNotFound},
	codes.AlreadyExists:      {events.CodeUnavailable, http.StatusConflict},
	codes.PermissionDenied:   {events.CodeUnauthorized, http.StatusForbidden},
	codes.ResourceExhausted:  {events.CodeRateLimited, http.StatusTooManyRequests},
	codes.FailedPrecondition: {events.CodeUnavailable, http.StatusBadRequest}, // about the moment: a model that is being loaded
	codes.Aborted:            {events.CodeUnavailable, http.StatusConflict},
	codes.OutOfRange:         {events.CodeInvalidRequest, http.StatusBadRequest},
	codes.Unimplemented:      {events.CodeUnsupported, http.StatusNotImplemented},
	codes.Internal:           {events.CodeUnavailable, http.StatusInternalServerError},
	codes.Unavailable:        {events.CodeUnavailable, http.StatusServiceUnavailable},
	codes.DataLoss:           {events.CodeUnavailable, http.StatusInternalServerError},
	codes.Unauthenticated:    {events.CodeUnauthorized, http.StatusUnauthorized},
}

// classify returns the class of a server's status. A code that is none of gRPC's says as much as Unknown does.
func classify(s *status.Status) class {
	c, ok := classes[s.Code()]
	if !ok {
		return classes[codes.Unknown]
	}
	if s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "message larger than max") {
		// Every implementation's words for a request over the server's own bound, which waiting does not make smaller.
		return class{events.CodeInvalidRequest, http.StatusRequestEntityTooLarge}
	}
	return c
}

// refusal returns the error of a status that a server ended the call with.
func refusal(s *status.Status, trailer metadata.MD, secrets []string, now time.Time) *model.Error {
	c := classify(s)
	e := model.NewError(c.code, nil)
	e.Status = c.http
	if events.CallersFault(e.Code) {
		if m := model.OutsideMessage(s.Message(), secrets...); m != "" {
			e.Message = m
		}
	}
	switch e.Code {
	case events.CodeRateLimited, events.CodeUnavailable:
		e.RetryAt = retryAt(s, trailer, now)
	}
	return e
}

// retryAt returns when the server will take calls again, where it says so: by google.rpc.RetryInfo, by the trailers that are
// headers in HTTP, or by what gRPC pushes clients back with (gRFC A6).
func retryAt(s *status.Status, trailer metadata.MD, now time.Time) time.Time {
	h := http.Header{}
	for name, values := range trailer {
		if len(values) > 0 {
			h.Set(name, values[0])
		}
	}
	if v := h.Get("Grpc-Retry-Pushback-Ms"); v != "" && h.Get("Retry-After-Ms") == "" {
		h.Set("Retry-After-Ms", v)
	}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			h.Set("Retry-After-Ms", ms(info.GetRetryDelay().AsDuration()))
		}
	}
	return model.RetryAt(h, now)
}
