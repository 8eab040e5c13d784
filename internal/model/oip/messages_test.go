package oip

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	oippb "baton.dev/baton/internal/oip"
)

// wire builds a message by the numbers of the protocol's specification, so that the generated code is held to those.
type wire []byte

func (w wire) text(field protowire.Number, s string) wire {
	return protowire.AppendString(protowire.AppendTag(w, field, protowire.BytesType), s)
}

func (w wire) nested(field protowire.Number, m wire) wire { return w.text(field, string(m)) }

func (w wire) number(field protowire.Number, n uint64) wire {
	return protowire.AppendVarint(protowire.AppendTag(w, field, protowire.VarintType), n)
}

func (w wire) double(field protowire.Number, f float64) wire {
	return protowire.AppendFixed64(protowire.AppendTag(w, field, protowire.Fixed64Type), math.Float64bits(f))
}

func (w wire) packed(field protowire.Number, numbers ...uint64) wire {
	var b []byte
	for _, n := range numbers {
		b = protowire.AppendVarint(b, n)
	}
	return w.text(field, string(b))
}

func (w wire) floats(field protowire.Number, numbers ...float32) wire {
	var b []byte
	for _, f := range numbers {
		b = protowire.AppendFixed32(b, math.Float32bits(f))
	}
	return w.text(field, string(b))
}

func (w wire) doubles(field protowire.Number, numbers ...float64) wire {
	var b []byte
	for _, f := range numbers {
		b = protowire.AppendFixed64(b, math.Float64bits(f))
	}
	return w.text(field, string(b))
}

// The messages of open_inference_grpc.proto, and of ModelStreamInfer of Triton's grpc_service.proto, each with all its fields.
func TestMessagesSurviveByteForByte(t *testing.T) {
	t.Parallel()
	negative := uint64(math.MaxUint64) // -1
	contents := wire(nil).
		packed(1, 1, 0).                        // bool_contents
		packed(2, negative, 7).                 // int_contents
		packed(3, negative-1).                  // int64_contents
		packed(4, 1, 2, 3, math.MaxUint32).     // uint_contents
		packed(5, math.MaxUint64).              // uint64_contents
		floats(6, 1, 1.1).                      // fp32_contents
		doubles(7, 2.5).                        // fp64_contents
		text(8, "first").text(8, "\xff second") // bytes_contents
	parameter := func(name string, value wire) wire { return wire(nil).text(1, name).nested(2, value) }
	tensor := wire(nil).text(1, "name").text(2, "BYTES").packed(3, 2, negative).
		nested(4, parameter("p", wire(nil).text(3, "of the tensor"))).nested(5, contents)
	request := wire(nil).text(1, "model").text(2, "1").text(3, "id").
		nested(4, parameter("a", wire(nil).number(1, 1))).        // bool_param
		nested(4, parameter("b", wire(nil).number(2, negative))). // int64_param
		nested(4, parameter("c", wire(nil).text(3, "text"))).     // string_param
		nested(4, parameter("d", wire(nil).double(4, 0.5))).      // double_param
		nested(4, parameter("e", wire(nil).number(5, 1<<63))).    // uint64_param
		nested(5, tensor).                                        // inputs
		nested(6, wire(nil).text(1, "out").nested(2, parameter("p", wire(nil).number(1, 1)))).
		text(7, "\x03\x00\x00\x00raw")
	response := wire(nil).text(1, "model").text(2, "1").text(3, "id").
		nested(4, parameter("triton_final_response", wire(nil).number(1, 1))).nested(5, tensor).
		text(6, "\x03\x00\x00\x00raw")
	for name, tc := range map[string]struct {
		bytes wire
		to    proto.Message
	}{
		"ModelReadyRequest":        {wire(nil).text(1, "model").text(2, "1"), new(oippb.ModelReadyRequest)},
		"ModelReadyResponse":       {wire(nil).number(1, 1), new(oippb.ModelReadyResponse)},
		"ModelInferRequest":        {request, new(oippb.ModelInferRequest)},
		"ModelInferResponse":       {response, new(oippb.ModelInferResponse)},
		"ModelStreamInferResponse": {wire(nil).text(1, "wrong").nested(2, response), new(oippb.ModelStreamInferResponse)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := proto.Unmarshal(tc.bytes, tc.to); err != nil {
				t.Fatal(err)
			}
			if unknown := tc.to.ProtoReflect().GetUnknown(); len(unknown) > 0 {
				t.Errorf("%x is not known", unknown)
			}
			got, err := proto.MarshalOptions{Deterministic: true}.Marshal(tc.to)
			if err != nil || !bytes.Equal(got, tc.bytes) {
				t.Errorf("got  %x, %v\nwant %x", got, err, tc.bytes)
			}
		})
	}
	if got := oippb.GRPCInferenceService_ModelStreamInfer_FullMethodName; got != "/inference.GRPCInferenceService/ModelStreamInfer" {
		t.Errorf("the method is %s", got)
	}
}

func TestRawContents(t *testing.T) {
	t.Parallel()
	element := func(n uint32, s string) []byte { return append(binary.LittleEndian.AppendUint32(nil, n), s...) }
	for name, tc := range map[string]struct {
		raw  []byte
		want string
	}{
		"an element":                 {element(3, "abc"), "abc"},
		"the first of two":           {append(element(1, "a"), element(1, "b")...), "a"},
		"an empty element":           {element(0, ""), ""},
		"nothing":                    {nil, ""},
		"less than a length":         {[]byte{1, 0, 0}, ""},
		"a length beyond the end":    {element(4, "abc"), ""},
		"a length beyond all bounds": {element(math.MaxUint32, "abc"), ""},
	} {
		if got := firstBytes(nil, tc.raw); string(got) != tc.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if n := firstUint(nil, []byte{1, 2, 0, 0}); n != 513 {
		t.Errorf("got %d", n)
	}
	if n := firstUint(nil, []byte{1, 2, 0}); n != -1 {
		t.Errorf("got %d", n)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(wire(nil).nested(5, wire(nil).text(1, "text_output")).text(6, "\x03\x00\x00\x00raw")))
	f.Add([]byte(wire(nil).nested(5, wire(nil).text(1, "num_output_tokens")).text(6, "\x03\x00\x00\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m oippb.ModelInferResponse
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		if out := decodeMessage(&m, "text_output"); len(out.text) > len(data) || out.tokens < -1 {
			t.Errorf("%+v of %d bytes", out, len(data))
		}
		_ = final(&m)
	})
}
