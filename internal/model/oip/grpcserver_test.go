package oip

import (
	"context"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"baton.dev/baton/internal/model/modeltest"
	oippb "baton.dev/baton/internal/oip"
)

// grpcServer is a model server over gRPC that does what it is told.
type grpcServer struct {
	oippb.UnimplementedGRPCInferenceServiceServer

	play    func(context.Context, modeltest.Seen) modeltest.Script
	raw     bool   // outputs are raw contents, as Triton's are
	input   string // the tensors of the text
	output  string
	final   bool // the last response is an empty one that says so, after which the stream stays open
	ready   func(*oippb.ModelReadyRequest) (bool, error)
	request func(*oippb.ModelInferRequest)
}

// serve starts the server and returns its address.
func (s *grpcServer) serve(t *testing.T, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(options...)
	oippb.RegisterGRPCInferenceServiceServer(srv, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	return l.Addr().String()
}

func (s *grpcServer) script(ctx context.Context, r *oippb.ModelInferRequest) modeltest.Script {
	if s.request != nil {
		s.request(r)
	}
	md, _ := metadata.FromIncomingContext(ctx)
	header := func(name string) string { return strings.Join(md.Get(name), ",") }
	prompt := ""
	for _, in := range r.GetInputs() {
		if in.GetName() == s.input {
			prompt = string(in.GetContents().GetBytesContents()[0])
		}
	}
	return s.play(ctx, modeltest.Seen{
		Prompt: prompt, Header: header, Credential: strings.TrimPrefix(header("authorization"), "Bearer "),
	})
}

func (s *grpcServer) ModelReady(_ context.Context, r *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	if s.ready == nil {
		return nil, status.Error(codes.Unimplemented, "no such thing")
	}
	ok, err := s.ready(r)
	return &oippb.ModelReadyResponse{Ready: ok}, err
}

func (s *grpcServer) ModelInfer(ctx context.Context, r *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	script := s.script(ctx, r)
	if script.Refuse != nil {
		return nil, s.refuse(script, func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) })
	}
	for n := range len(script.Pieces) + 1 {
		script.Step(n)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return s.response(r, strings.Join(script.Pieces, ""), &script, true), nil
}

func (s *grpcServer) ModelStreamInfer(stream grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]) error {
	r, err := stream.Recv()
	if err != nil {
		return err
	}
	ctx := stream.Context()
	script := s.script(ctx, r)
	if script.Refuse != nil {
		return s.refuse(script, stream.SetTrailer)
	}
	for n, piece := range script.Pieces {
		script.Step(n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		last := n == len(script.Pieces)-1
		if err := stream.Send(&oippb.ModelStreamInferResponse{InferResponse: s.response(r, piece, &script, last)}); err != nil {
			return err
		}
	}
	script.Step(len(script.Pieces))
	if s.final {
		m := &oippb.ModelStreamInferResponse{InferResponse: &oippb.ModelInferResponse{
			Parameters: map[string]*oippb.InferParameter{"triton_final_response": inferParameter(true)},
		}}
		if err := stream.Send(m); err != nil {
			return err
		}
		<-ctx.Done()
	}
	return ctx.Err()
}

// response is one that says the piece, and the usage with the last.
func (s *grpcServer) response(r *oippb.ModelInferRequest, piece string, script *modeltest.Script, last bool) *oippb.ModelInferResponse {
	m := &oippb.ModelInferResponse{ModelName: r.GetModelName(), ModelVersion: "1", Id: r.GetId()}
	s.add(m, &oippb.ModelInferResponse_InferOutputTensor{Name: s.output, Datatype: "BYTES", Shape: one}, []byte(piece))
	if u := script.Usage; u != nil {
		tokens := 0
		if last {
			tokens = u.CompletionTokens
		}
		s.addCount(m, inputTokens, u.PromptTokens)
		s.addCount(m, outputTokens, tokens)
	}
	reason := "None"
	if last {
		reason = "stop"
	}
	s.add(m, &oippb.ModelInferResponse_InferOutputTensor{Name: finishReason, Datatype: "BYTES", Shape: one}, []byte(reason))
	return m
}

func (s *grpcServer) add(m *oippb.ModelInferResponse, t *oippb.ModelInferResponse_InferOutputTensor, element []byte) {
	m.Outputs = append(m.Outputs, t)
	if s.raw {
		m.RawOutputContents = append(m.RawOutputContents, append(binary.LittleEndian.AppendUint32(nil, uint32(len(element))), element...))
		return
	}
	t.Contents = &oippb.InferTensorContents{BytesContents: [][]byte{element}}
}

func (s *grpcServer) addCount(m *oippb.ModelInferResponse, name string, n int) {
	t := &oippb.ModelInferResponse_InferOutputTensor{Name: name, Datatype: "UINT32", Shape: one}
	m.Outputs = append(m.Outputs, t)
	if s.raw {
		m.RawOutputContents = append(m.RawOutputContents, binary.LittleEndian.AppendUint32(nil, uint32(n)))
		return
	}
	t.Contents = &oippb.InferTensorContents{UintContents: []uint32{uint32(n)}}
}

// refuse returns the status that the script refuses by. When to come again is said by a detail of the status, or for
// Unavailable by a trailer.
func (s *grpcServer) refuse(script modeltest.Script, trailer func(metadata.MD)) error {
	code := script.Refuse.(codes.Code)
	st := status.New(code, script.Words)
	if script.RetryIn == 0 {
		return st.Err()
	}
	if code == codes.Unavailable {
		trailer(metadata.Pairs("retry-after", strconv.Itoa(int(script.RetryIn/time.Second))))
		return st.Err()
	}
	st, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(script.RetryIn)})
	if err != nil {
		return err
	}
	return st.Err()
}
