package simulated

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"

	"github.com/cespare/xxhash/v2"
)

// dimensions is the length of a vector where the request does not say: that of OpenAI's small model.
const dimensions = 1536

type embeddingRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	Dimensions     *int            `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // floats, or base64
}

type embeddings struct {
	Object string         `json:"object"`
	Data   []embedding    `json:"data"`
	Model  string         `json:"model"`
	Usage  embeddingUsage `json:"usage"`
}

type embeddingUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

// embed answers with a vector of each text: of length one, in a direction that the seed and the text decide.
func (s *Server) embed(w http.ResponseWriter, r *http.Request) {
	var req embeddingRequest
	if f := take(r, &req); f != nil {
		f.write(w)
		return
	}
	all, size, f := req.read()
	if f != nil {
		f.write(w)
		return
	}
	b, t, f := s.turn(req.Model)
	if f != nil {
		f.write(w)
		return
	}
	if s.wait(r.Context(), t.took) != nil {
		unavailable("The server is shutting down.", "shutting_down").write(w)
		return
	}
	out := embeddings{Object: "list", Data: make([]embedding, len(all)), Model: req.Model}
	for i, in := range all {
		v := vector(b.seed, in.text, size)
		out.Data[i] = embedding{Object: "embedding", Index: i, Embedding: v}
		if req.EncodingFormat == "base64" {
			out.Data[i].Embedding = packed(v)
		}
		out.Usage.Prompt += in.tokens
	}
	out.Usage.Total = out.Usage.Prompt
	write(w, out)
}

func (r *embeddingRequest) read() (all []input, size int, f *fault) {
	if r.Model == "" {
		return nil, 0, bad("you must provide a model parameter", "", "")
	}
	if all, f = inputs(r.Input, "input"); f != nil {
		return nil, 0, f
	}
	if len(all) > 2048 {
		return nil, 0, bad("Invalid 'input': array too long. Expected an array with maximum length 2048.", "input",
			"array_above_max_length")
	}
	for _, in := range all {
		if in.text == "" {
			return nil, 0, bad("Invalid 'input': input cannot be an empty string.", "input", "invalid_value")
		}
	}
	if size, f = whole("dimensions", r.Dimensions, 1, 3072); f != nil {
		return nil, 0, f
	}
	switch r.EncodingFormat {
	case "", "float", "base64":
	default:
		return nil, 0, wrongValue("encoding_format", r.EncodingFormat, "float", "base64")
	}
	if size == 0 {
		size = dimensions
	}
	return all, size, nil
}

func vector(seed uint64, text string, size int) []float32 {
	d := newDraw(seed, xxhash.Sum64String(text))
	exact := make([]float64, size)
	var square float64
	for i := range exact {
		exact[i] = d.normal()
		square += exact[i] * exact[i]
	}
	v := make([]float32, size)
	for i := range v {
		v[i] = float32(exact[i] / math.Sqrt(square))
	}
	return v
}

// packed returns the vector as OpenAI packs it: little-endian floats of 32 bits, in base64.
func packed(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
