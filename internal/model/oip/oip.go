// Package oip calls models by the Open Inference Protocol, version 2, as Triton, KServe and others serve it: [GRPC] and [HTTP]
// are clients of [model], and a [Prober] asks ahead of the calls whether the models are ready.
//
// # Text
//
// The protocol knows tensors, and no chat. A prompt is the text that goes in. A conversation of one message is that message's
// text. A longer one is a transcript, a line "role: text" for each message and at the end "assistant:", since what comes out
// is the next line. Images, audio, files, tool calls and embeddings are [events.CodeUnsupported], and so are parameters that
// would change what an answer is: tools, several choices, log probabilities, a format of the output.
//
// # Presets
//
// Which tensors the text goes in by and comes out of, and how parameters are written, is [catalog.OIP]:
//
//   - triton, for Triton with TensorRT-LLM: every tensor is a batch of one, and each parameter is a tensor of its own
//     (max_tokens, temperature, top_p, top_k, seed, stop_words, and the penalties). Other parameters are not sent, as Triton
//     refuses what a model does not declare.
//   - kserve: parameters are those of the request. One that is a list or an object is sent as its JSON text.
//   - vllm, for Triton with its vLLM backend from release 25.01 on: the parameters are one tensor, sampling_parameters, as
//     JSON; the input is left out of the output; and the counts of tokens and why the output ended are asked for.
//
// Parameters that a server has for itself (sequence_id, priority, timeout, headers, triton_*, …) are never a caller's to set.
//
// # Answers
//
// A BYTES tensor is read from bytes_contents and from raw contents. Of several elements the first is the output. Usage is nil
// unless the server gives num_input_tokens and num_output_tokens, and an output that just ends has the finish reason stop:
// the protocol has no word for it.
//
// # One call
//
// Nothing is tried again, save that grpc-go sends a request once more, on another connection, that never left or of which the
// server itself said that it did not begin it (GOAWAY or REFUSED_STREAM; RFC 9113, section 8.7).
package oip

import (
	"context"
	"crypto/tls"
	"errors"

	"baton.dev/baton/internal/catalog"
)

// Credentials are what targets are called with over gRPC. It is asked for each call, so that what is rotated is used at once,
// and must be quick and safe for concurrent use. Its errors go to logs and must not hold a secret.
type Credentials interface {
	// Metadata returns the headers that authenticate a call, by their names in lower case; none: nothing is sent.
	Metadata(ctx context.Context, t *catalog.Target) (map[string]string, error)
	// TLS returns how the target's server is verified and what it is shown: the same pointer as long as nothing changed; nil:
	// as by default.
	TLS(t *catalog.Target) (*tls.Config, error)
	// Refused says that the server did not accept what Metadata returned, which the secrets are of.
	Refused(t *catalog.Target, secrets []string)
}

// defaultMaxAnswer is the bound of an answer where none is given, as in [model.OpenAIConfig].
const defaultMaxAnswer = 4 << 20

// nobody are the credentials of a client that was given none.
type nobody struct{}

func (nobody) Metadata(_ context.Context, t *catalog.Target) (map[string]string, error) {
	if t.Key != "" || t.Auth != (catalog.Auth{}) {
		return nil, errNoResolver
	}
	return map[string]string{}, nil
}

func (nobody) TLS(t *catalog.Target) (*tls.Config, error) {
	if t.TLS != (catalog.TLS{}) {
		return nil, errNoResolver
	}
	return nil, nil //nolint:nilnil // it is what crypto/tls takes for the default
}

func (nobody) Refused(*catalog.Target, []string) {}

var errNoResolver = errors.New("no resolver of credentials")
