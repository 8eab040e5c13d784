package oip

import (
	"context"
	"errors"
	"maps"
	"strings"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// common returns the headers that any call has, whatever it goes over, by lower-case name.
func common(call *model.Call) map[string]string {
	all := make(map[string]string, len(call.Target.Headers)+5)
	maps.Copy(all, call.Target.Headers)
	if model.HeaderSafe(call.ID) {
		all["idempotency-key"] = call.ID
	}
	if model.HeaderSafe(call.TraceParent) {
		all["traceparent"] = call.TraceParent
		if model.HeaderSafe(call.TraceState) {
			all["tracestate"] = call.TraceState
		}
	}
	return all
}

// authenticate adds what authenticates the call to its metadata. It returns what no message may repeat.
func authenticate(ctx context.Context, c Credentials, t *catalog.Target, all map[string]string) ([]string, error) {
	authentic, err := c.Metadata(ctx, t)
	if e, ok := errors.AsType[*model.Error](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, model.NewError(events.CodeUnauthorized, err)
	}
	secrets := make([]string, 0, 2*len(authentic))
	for name, value := range authentic {
		if !model.HeaderSafe(value) {
			return nil, model.NewError(events.CodeUnauthorized, errors.New("its credential is empty or no header value"))
		}
		all[name] = value
		secrets = append(secrets, value)
		if _, token, ok := strings.Cut(value, " "); ok { // of a scheme, Bearer mostly
			secrets = append(secrets, token)
		}
	}
	return secrets, nil
}
