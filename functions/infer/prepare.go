package infer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// prepared is what a call sends in the place of its request's messages. Where they are sent as they are it is empty.
type prepared struct {
	body *model.Body
	torn atomic.Bool // the body could not be read to its end: no server ever had the whole request
	drop func()      // what it holds; called once
}

// prepare puts back into the request of an attempt what was taken out of it, as far as that is done before it is sent: what it
// refers to is there, and images are fetched. It ends with the request's deadline. The refusal says what is wrong with the
// request, and an error that it was not decided: a store is away, or the host of an image.
func (f *function) prepare(
	ctx context.Context, in events.Event, req events.Request, t *catalog.Target,
) (*prepared, *model.Error, error) {
	if f.Expand == nil || req.Prompt != nil || len(req.Messages) == 0 {
		return &prepared{drop: func() {}}, nil, nil
	}
	holding, drop := context.WithCancel(ctx)
	if !in.Expiry.IsZero() {
		holding, drop = context.WithTimeout(ctx, in.Expiry.Sub(f.Now()))
	}
	body, err := f.Expand(in)(holding, t, req.Messages)
	if err == nil {
		return &prepared{body: &body, drop: drop}, nil, nil
	}
	late := holding.Err() != nil && ctx.Err() == nil
	drop()
	if refusal, ok := errors.AsType[*model.Error](err); ok {
		told := *refusal // what made it may keep it
		told.Target = t.Name
		return nil, &told, nil
	}
	if late {
		return nil, model.NewError(events.CodeExpired, nil), nil
	}
	return nil, nil, fmt.Errorf("infer: prepare %s: %w", in.ID, err)
}

// expand returns what a call asks for its messages; nil: they are sent as they are.
func (p *prepared) expand() func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
	if p.body == nil {
		return nil
	}
	return func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
		return model.Body{Size: p.body.Size, Open: p.open}, nil
	}
}

func (p *prepared) open(ctx context.Context) (io.ReadCloser, error) {
	r, err := p.body.Open(ctx)
	if err != nil {
		p.torn.Store(true)
		return nil, err
	}
	return watched{r, p}, nil
}

// watched takes note of a body that does not come to its end.
type watched struct {
	io.ReadCloser

	of *prepared
}

// Read implements [io.Reader].
func (w watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.of.torn.Store(true)
	}
	return n, err
}
