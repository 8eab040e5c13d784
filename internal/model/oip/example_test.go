package oip_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/oip"
	oippb "baton.dev/baton/internal/oip"
)

// echo is a decoupled model that says what it is told in two pieces.
type echo struct {
	oippb.UnimplementedGRPCInferenceServiceServer
}

func (echo) ModelStreamInfer(s grpc.BidiStreamingServer[oippb.ModelInferRequest, oippb.ModelStreamInferResponse]) error {
	r, err := s.Recv()
	if err != nil {
		return err
	}
	for _, piece := range [][]byte{[]byte("you said: "), r.GetInputs()[0].GetContents().GetBytesContents()[0]} {
		output := &oippb.ModelInferResponse_InferOutputTensor{
			Name: "text_output", Datatype: "BYTES", Shape: []int64{1},
			Contents: &oippb.InferTensorContents{BytesContents: [][]byte{piece}},
		}
		m := &oippb.ModelStreamInferResponse{InferResponse: &oippb.ModelInferResponse{
			Outputs: []*oippb.ModelInferResponse_InferOutputTensor{output},
		}}
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// One call of a model in Triton, whose answer is seen while it is made.
func ExampleGRPC_Call() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	oippb.RegisterGRPCInferenceServiceServer(server, echo{})
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()

	client := oip.NewGRPC(oip.GRPCConfig{})
	prompt := "hello"
	answer, err := client.Call(context.Background(), model.Call{
		Target:  &catalog.Target{Name: "triton-a", URL: "grpc://" + listener.Addr().String(), Model: "echo"},
		Request: events.Request{Prompt: &prompt},
		Delta:   func(d model.Delta) { fmt.Printf("%q\n", d.Text) },
	})
	fmt.Printf("%q %s %v\n", answer.Output, answer.Message, err)

	client.Close()
	server.Stop()
	<-served
	// Output:
	// ""
	// "you said: "
	// "hello"
	// ""
	// "you said: hello" {"role":"assistant","content":"you said: hello","refusal":null} <nil>
}
