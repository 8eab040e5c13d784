// Package oippb holds the messages and the gRPC stubs of the Open Inference Protocol, as far as Baton speaks it.
//
// All but this file is made by make generate from open_inference.proto, and make generate-check says whether it still is. The
// clients are package baton.dev/baton/internal/model/oip.
package oippb
