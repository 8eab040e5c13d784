package simulated_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

func TestEmbeddings(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Seed: 4})
	embed := func(t *testing.T, body string) (vectors []json.RawMessage, tokens int) {
		t.Helper()
		w := ask(s, http.MethodPost, "/v1/embeddings", body)
		var got struct {
			Data  []struct{ Embedding json.RawMessage }
			Usage struct {
				Prompt int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		for _, d := range got.Data {
			vectors = append(vectors, d.Embedding)
		}
		return vectors, got.Usage.Prompt
	}
	floats := func(t *testing.T, raw json.RawMessage) (v []float32) {
		t.Helper()
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	t.Run("are of length one, and of as many numbers as asked for", func(t *testing.T) {
		t.Parallel()
		for body, want := range map[string]int{`{"model":"m","input":"a b"}`: 1536, `{"model":"m","input":"a b","dimensions":5}`: 5} {
			vectors, tokens := embed(t, body)
			v := floats(t, vectors[0])
			var square float64
			for _, x := range v {
				square += float64(x) * float64(x)
			}
			if len(v) != want || math.Abs(square-1) > 1e-5 || tokens != 2 {
				t.Errorf("%d numbers of square %v, %d tokens", len(v), square, tokens)
			}
		}
	})
	t.Run("are the same packed, and others for another text", func(t *testing.T) {
		t.Parallel()
		plain, _ := embed(t, `{"model":"m","input":["a","b"],"dimensions":3}`)
		packed, _ := embed(t, `{"model":"m","input":"a","dimensions":3,"encoding_format":"base64"}`)
		var text string
		if err := json.Unmarshal(packed[0], &text); err != nil {
			t.Fatal(err)
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range floats(t, plain[0]) {
			if got := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])); got != want {
				t.Errorf("number %d is %v, packed %v", i, want, got)
			}
		}
		if string(plain[0]) == string(plain[1]) {
			t.Error("two texts have the same vector")
		}
	})
}

func TestTextCompletions(t *testing.T) {
	t.Parallel()
	s := simulated.New(catalog.Simulate{Tokens: 40})
	type completion struct {
		Choices []struct {
			Text   string
			Index  int
			Finish string `json:"finish_reason"`
		}
		Usage struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
		}
	}
	complete := func(t *testing.T, body string) (c completion) {
		t.Helper()
		w := ask(s, http.MethodPost, "/v1/completions", body)
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return c
	}
	t.Run("are of 16 tokens where the request does not say", func(t *testing.T) {
		t.Parallel()
		c := complete(t, `{"model":"m","prompt":"a b"}`)
		if len(strings.Fields(c.Choices[0].Text)) != 16 || c.Choices[0].Finish != "length" || c.Usage.Prompt != 2 || c.Usage.Completion != 16 {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("are in the order of the prompts, so many for each", func(t *testing.T) {
		t.Parallel()
		c := complete(t, `{"model":"m","prompt":["a","b"],"n":2,"echo":true,"max_tokens":1}`)
		for i, want := range []string{"a", "a", "b", "b"} {
			if c.Choices[i].Index != i || !strings.HasPrefix(c.Choices[i].Text, want) {
				t.Errorf("choice %d is %+v", i, c.Choices[i])
			}
		}
		if c.Usage.Completion != 4 {
			t.Errorf("got %+v", c.Usage)
		}
	})
}
