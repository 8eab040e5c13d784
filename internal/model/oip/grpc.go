package oip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	oippb "baton.dev/baton/internal/oip"
)

// GRPCConfig is what a [GRPC] client needs.
type GRPCConfig struct {
	Credentials Credentials // nil: none, for targets without any
	MaxAnswer   int64       // bounds an output in bytes; 0: 4 MiB. One that is larger is [events.CodeOutputTooLarge]
}

// GRPC calls models over gRPC: grpc:// is plain, grpcs:// over TLS. One connection serves all targets of the same address and
// TLS. It implements [model.Client].
//
// An answer is made by ModelStreamInfer where the model is decoupled, or the answer is wanted while it is made and the preset
// is one of Triton's; by ModelInfer otherwise, which says all of it in one delta.
type GRPC struct {
	credentials Credentials
	maxAnswer   int64
	connections connections
	now         func() time.Time
}

// NewGRPC returns a client. Close it when it is not needed any more.
func NewGRPC(c GRPCConfig) *GRPC {
	if c.Credentials == nil {
		c.Credentials = nobody{}
	}
	if c.MaxAnswer == 0 {
		c.MaxAnswer = defaultMaxAnswer
	}
	return &GRPC{
		credentials: c.Credentials,
		maxAnswer:   c.MaxAnswer,
		connections: connections{maxAnswer: c.MaxAnswer, open: map[place]*connection{}},
		now:         time.Now,
	}
}

// Close closes the connections, those with calls on them when these are over.
func (g *GRPC) Close() { g.connections.close() }

// Call implements [model.Client].
func (g *GRPC) Call(ctx context.Context, call model.Call) (model.Answer, error) {
	followed, c := follow(ctx)
	answer, err := g.call(followed, call, c)
	if err == nil {
		return answer, nil
	}
	if e, ok := errors.AsType[*model.Error](err); ok {
		told := *e // one of the credentials' may be another call's too
		told.Target, told.Sent = call.Target.Name, c.sent.Load()
		return model.Answer{}, &told
	}
	return model.Answer{}, fmt.Errorf("model: call %s: %w", call.Target.Name, err)
}

func (g *GRPC) call(ctx context.Context, call model.Call, c *course) (model.Answer, error) {
	in, err := newInference(&call)
	if err != nil {
		return model.Answer{}, err
	}
	limit, late := call.Limit(g.now())
	callCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if callCtx.Err() != nil {
		return model.Answer{}, model.Failure(ctx, callCtx, late, callCtx.Err())
	}
	all := common(&call)
	secrets, err := authenticate(callCtx, g.credentials, call.Target, all)
	if err != nil {
		return model.Answer{}, unprepared(ctx, callCtx, late, err)
	}
	conn, leave, err := g.connection(call.Target)
	if err != nil {
		return model.Answer{}, err
	}
	defer leave()
	x := &exchange{
		client: oippb.NewGRPCInferenceServiceClient(conn.client), in: in, answer: newAssembly(&call, g.maxAnswer),
	}
	streamed := in.decoupled || call.Delta != nil && call.Target.OIP.WithDefaults().Preset != catalog.KServe
	if streamed {
		all["triton_grpc_error"] = "true" // an error ends the stream by its status, and not by a text alone
	}
	err = x.make(metadata.NewOutgoingContext(callCtx, metadata.New(all)), streamed)
	switch _, ours := errors.AsType[*model.Error](err); {
	case err == nil:
		return x.answer.end()
	case ours:
		return model.Answer{}, err
	case ctx.Err() != nil, callCtx.Err() != nil:
		return model.Answer{}, model.Failure(ctx, callCtx, late, err)
	}
	s := status.Convert(err)
	switch {
	case s.Code() == codes.DeadlineExceeded && nearlyOver(callCtx, g.now()):
		<-callCtx.Done()
		return model.Answer{}, model.Failure(ctx, callCtx, late, err)
	case c.answered.Load():
		if s.Code() == codes.Unauthenticated {
			g.credentials.Refused(call.Target, secrets)
		}
		return model.Answer{}, refusal(s, x.trailer, secrets, g.now())
	case s.Code() == codes.ResourceExhausted: // grpc-go's own, of a message over the bound
		return model.Answer{}, model.TooLarge(g.maxAnswer)
	default:
		return model.Answer{}, model.Failure(ctx, callCtx, late, conn.brokenness())
	}
}

// unprepared says what a call came to whose credential cannot be had: that it took too long, if it did.
func unprepared(ctx, call context.Context, late string, err error) error {
	if call.Err() != nil {
		return model.Failure(ctx, call, late, err)
	}
	return err
}

// nearlyOver reports whether the context is about to end: the server has the same deadline, and may say so a little earlier
// than the client's own clock.
func nearlyOver(ctx context.Context, now time.Time) bool {
	end, ok := ctx.Deadline()
	return ok && end.Sub(now) < 100*time.Millisecond
}

// connection returns the connection for the target and what is to be called when it is not used any more.
func (g *GRPC) connection(t *catalog.Target) (*connection, func(), error) {
	config, err := g.credentials.TLS(t)
	if err != nil {
		return nil, nil, model.NewError(events.CodeUnauthorized, err)
	}
	return g.connections.use(t, config)
}

// exchange is a request and its responses.
type exchange struct {
	client  oippb.GRPCInferenceServiceClient
	in      *inference
	answer  *assembly
	trailer metadata.MD
}

// make sends the request and takes the responses. Its error is an [*model.Error] or one of gRPC.
func (x *exchange) make(ctx context.Context, streamed bool) error {
	if streamed {
		return x.stream(ctx)
	}
	r, err := x.client.ModelInfer(ctx, x.in.message(), grpc.Trailer(&x.trailer))
	if err != nil {
		return err
	}
	return x.answer.add(decodeMessage(r, x.in.outputs[0]))
}

// stream takes responses until the server says that one is the last, or ends the stream.
func (x *exchange) stream(ctx context.Context) error {
	s, err := x.client.ModelStreamInfer(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(x.in.message()); err != nil && !errors.Is(err, io.EOF) { // at EOF Recv says why
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	for {
		m, err := s.Recv()
		if err != nil {
			x.trailer = s.Trailer()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r := m.GetInferResponse()
		if m.GetErrorMessage() != "" {
			// The server's words may quote the request, and have no code.
			return x.answer.fail(events.CodeUnavailable, "the server sent an error in the stream")
		}
		if err := x.answer.add(decodeMessage(r, x.in.outputs[0])); err != nil {
			return err
		}
		if final(r) {
			return nil
		}
	}
}

func ms(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }
