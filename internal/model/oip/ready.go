package oip

import (
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	oippb "baton.dev/baton/internal/oip"
)

// errNotReady is the cause of the failure of a model that says of itself that it cannot be called.
var errNotReady = errors.New("the model is not ready")

// Ready asks whether the model can be called. Nil: it can, or its server does not know the question. It takes as long as ctx
// allows. Its error is an [*model.Error], or ctx's.
func (g *GRPC) Ready(ctx context.Context, t *catalog.Target) error {
	followed, c := follow(ctx)
	call := model.Call{Target: t}
	all := common(&call)
	secrets, err := authenticate(followed, g.credentials, t, all)
	if err != nil {
		return named(unprepared(ctx, followed, events.CodeTimeout, err), t)
	}
	conn, leave, err := g.connection(t)
	if err != nil {
		return named(err, t)
	}
	defer leave()
	question := &oippb.ModelReadyRequest{Name: t.Model, Version: t.OIP.Version}
	client := oippb.NewGRPCInferenceServiceClient(conn.client)
	r, err := client.ModelReady(metadata.NewOutgoingContext(followed, metadata.New(all)), question)
	switch s := status.Convert(err); {
	case err == nil && !r.GetReady():
		return named(model.NewError(events.CodeUnavailable, errNotReady), t)
	case err == nil, c.answered.Load() && s.Code() == codes.Unimplemented:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case c.answered.Load():
		return named(refusal(s, nil, secrets, g.now()), t)
	default:
		return named(model.Failure(ctx, ctx, events.CodeTimeout, conn.brokenness()), t)
	}
}

// Ready asks whether the model can be called. Nil: it can, or its server does not know the question. It takes as long as ctx
// allows. Its error is an [*model.Error], or ctx's.
func (h *HTTP) Ready(ctx context.Context, t *catalog.Target) error {
	call := model.Call{Target: t}
	resp, secrets, err := h.do(ctx, &call, http.MethodGet, "ready", nil)
	if err != nil {
		return named(broken(ctx, ctx, events.CodeTimeout, err), t)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, errorBodyLimit)) // the status says it, and KServe's body once more
	switch {
	case resp.StatusCode == http.StatusNotImplemented, resp.StatusCode == http.StatusMethodNotAllowed:
		return nil
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		e := model.Refusal(resp, body, secrets, h.now())
		if e.Code == events.CodeInvalidRequest {
			e = model.NewError(events.CodeUnavailable, errNotReady) // Triton's word for it is 400
			e.Status = resp.StatusCode
		}
		return named(e, t)
	case saysNo(body):
		return named(model.NewError(events.CodeUnavailable, errNotReady), t)
	default:
		return nil
	}
}

// saysNo reports whether a body says of the model that it is not ready. Triton's is empty.
func saysNo(body []byte) bool {
	var d document
	return d.UnmarshalJSON(body) == nil && string(d.get("ready")) == "false"
}

// named returns the error as that of the target, of a question that costs nothing.
func named(err error, t *catalog.Target) error {
	if e, ok := errors.AsType[*model.Error](err); ok {
		told := *e
		told.Target = t.Name
		return &told
	}
	return err
}
