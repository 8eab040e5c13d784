package ledger_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

func request(t testing.TB, text string) events.Request {
	t.Helper()
	var r events.Request
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestCost(t *testing.T) {
	t.Parallel()
	price := catalog.Price{Input: 10_000, Output: 30_000} // 10.00 and 30.00 for a million tokens
	for name, c := range map[string]struct {
		price catalog.Price
		usage events.Usage
		want  catalog.Money
	}{
		"nothing":                       {price, events.Usage{}, 0},
		"no price":                      {catalog.Price{}, events.Usage{PromptTokens: 9, CompletionTokens: 9, TotalTokens: 18}, 0},
		"a million tokens of each":      {price, events.Usage{PromptTokens: 1e6, CompletionTokens: 1e6, TotalTokens: 2e6}, 40_000_000},
		"a token":                       {price, events.Usage{PromptTokens: 1, TotalTokens: 1}, 10},
		"a part of a millionth":         {catalog.Price{Input: 1}, events.Usage{PromptTokens: 1}, 1},
		"just a millionth":              {catalog.Price{Input: 1}, events.Usage{PromptTokens: 1000}, 1},
		"a part more":                   {catalog.Price{Input: 1}, events.Usage{PromptTokens: 1001}, 2},
		"two parts that make one":       {catalog.Price{Input: 500, Output: 500}, events.Usage{PromptTokens: 1, CompletionTokens: 1}, 1},
		"tokens in the total alone":     {price, events.Usage{PromptTokens: 10, CompletionTokens: 1, TotalTokens: 111}, 100 + 3030},
		"a total that is left out":      {price, events.Usage{PromptTokens: 10, CompletionTokens: 1}, 130},
		"less than nothing":             {price, events.Usage{PromptTokens: -5, CompletionTokens: -5, TotalTokens: -10}, 0},
		"less than nothing in the part": {price, events.Usage{PromptTokens: -5, CompletionTokens: 5}, 150},
		"more than there is":            {catalog.Price{Input: math.MaxInt64, Output: math.MaxInt64}, events.Usage{PromptTokens: math.MaxInt, CompletionTokens: math.MaxInt}, ledger.MaxMoney},
		"a price below nothing":         {catalog.Price{Input: -9}, events.Usage{PromptTokens: 9}, 0},
	} {
		if got := ledger.Cost(c.price, c.usage); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// tokens are what Most takes for the input and the output of a request, by targets that charge for one alone.
func tokens(r events.Request, maxTokens int) (in, out catalog.Money) {
	return ledger.Most(&catalog.Target{Price: catalog.Price{Input: 1000}, MaxTokens: maxTokens}, r),
		ledger.Most(&catalog.Target{Price: catalog.Price{Output: 1000}, MaxTokens: maxTokens}, r)
}

func TestMostOfTheOutput(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]catalog.Money{
		`{}`:                          500,
		`{"max_tokens":7}`:            7,
		`{"max_completion_tokens":7}`: 7,
		`{"max_tokens":7,"max_completion_tokens":9}`:          9,
		`{"max_tokens":9,"max_completion_tokens":7}`:          9,
		`{"max_tokens":7,"n":3}`:                              21,
		`{"n":3}`:                                             1500,
		`{"n":2,"best_of":5}`:                                 2500,
		`{"n":0}`:                                             500,
		`{"n":"3"}`:                                           1500,
		`{"n":-3,"max_tokens":-3}`:                            500,
		`{"max_tokens":null}`:                                 500,
		`{"max_tokens":"100000"}`:                             100000,
		`{"max_tokens":"many"}`:                               500,
		`{"max_tokens":"NaN"}`:                                500,
		`{"max_tokens":[7]}`:                                  500,
		`{"max_tokens":7.2}`:                                  8,
		`{"max_tokens":1e3}`:                                  1000,
		`{"max_tokens":1e999}`:                                1 << 40,
		`{"max_tokens":1e12,"n":1e12}`:                        1 << 40,
		`{"max_tokens":9007199254740993}`:                     1 << 40,
		`{"max_tokens":7,"max_completion_tokens":"infinity"}`: 1 << 40,
	} {
		r := request(t, `{"prompt":"x","parameters":`+parameters+`}`)
		if _, got := tokens(r, 500); got != want {
			t.Errorf("%s: %d, want %d", parameters, got, want)
		}
	}
	for text, want := range map[string]catalog.Money{
		`{"operation":"chat","prompt":"x","parameters":{"n":2}}`:                                    1000,
		`{"operation":"text_completion","input":"x"}`:                                               500,
		`{"operation":"text_completion","input":["a","b","c"],"parameters":{"n":2,"max_tokens":7}}`: 42,
		`{"operation":"text_completion","input":[1,2,3]}`:                                           500,
		`{"operation":"text_completion","input":[[1],[2,3]]}`:                                       1000,
		`{"operation":"text_completion","input":["a","b"],"parameters":{"n":1e300,"max_tokens":7}}`: 1 << 40,
		`{"operation":"embeddings","input":["a","b"],"parameters":{"max_tokens":7}}`:                0,
	} {
		if _, got := tokens(request(t, text), 500); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	if _, got := tokens(events.Request{}, 0); got != 4096 {
		t.Errorf("a target that states no bound: %d, want 4096", got)
	}
}

func TestMostOfTheInput(t *testing.T) {
	t.Parallel()
	image := `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("A", 100_000) + `"}}`
	audio := `{"type":"input_audio","input_audio":{"format":"wav","data":"` + strings.Repeat("A", 100_000) + `"}}`
	text := `"` + strings.Repeat("x", 100_000) + `"`
	part := func(p string) string { return `{"messages":[{"role":"user","content":[` + p + `]}]}` }
	for name, c := range map[string]struct {
		request       string
		least, margin catalog.Money
	}{
		"a prompt":           {`{"prompt":"` + strings.Repeat("é", 500) + `"}`, 1000, 100},
		"a message":          {`{"messages":[{"role":"user","content":"` + strings.Repeat("x", 1000) + `"}]}`, 1000, 200},
		"many messages":      {`{"messages":[` + strings.Repeat(`{"role":"user","content":"x"},`, 99) + `{"role":"user","content":"x"}]}`, 100 * 11, 5000},
		"calls of tools":     {`{"messages":[{"role":"assistant","tool_calls":[{"arguments":"` + strings.Repeat("x", 1000) + `"}]}]}`, 1000, 200},
		"text parts":         {`{"messages":[{"role":"user","content":[{"type":"text","text":"` + strings.Repeat("x", 1000) + `"}]}]}`, 1000, 200},
		"an image":           {`{"messages":[{"role":"user","content":[` + image + `]}]}`, 4096, 200},
		"two and recording":  {`{"messages":[{"role":"user","content":[` + image + `,` + image + `,` + audio + `]}]}`, 3 * 4096, 300},
		"an image in text":   {`{"messages":[{"role":"user","content":"` + strings.ReplaceAll(image, `"`, `\"`) + `"}]}`, 100_000, 300},
		"tools":              {`{"prompt":"x","parameters":{"tools":[{"d":"` + strings.Repeat("x", 1000) + `"}]}}`, 1000, 1200},
		"a text to complete": {`{"operation":"text_completion","input":"` + strings.Repeat("x", 1000) + `"}`, 1000, 200},
		"texts":              {`{"operation":"embeddings","input":["` + strings.Repeat(`x","`, 249) + `x"]}`, 250, 250*20 + 100},
		"tokens":             {`{"operation":"embeddings","input":[` + strings.Repeat("1,", 499) + `1]}`, 500, 700},
		"lists of tokens":    {`{"operation":"embeddings","input":[[1,2],[3,4]]}`, 4, 200},
		"a file by its name": {`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`, 1 << 17, 300},
		"a file elsewhere": {
			`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"baton-part:0;type=application/pdf;bytes=9;sha256=0"}}]}]}`,
			1 << 17, 300,
		},
		"a file that is here": {
			`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,` +
				strings.Repeat("A", 1000) + `"}}]}]}`, 1000, 300,
		},
		"a text beside a Type of another case": {part(`{"type":"text","text":` + text + `,"Type":"image_url"}`), 100_000, 300},
		"a text beside an image":               {part(`{"type":"image_url","image_url":{"url":"https://a/"},"text":` + text + `}`), 104_000, 400},
		"a text in an image":                   {part(`{"type":"image_url","image_url":{"url":"https://a/","x":` + text + `}}`), 104_000, 400},
		"a file by its name and another":       {part(`{"type":"file","file":{"file_id":"file-1","file_data":"data:,","File_id":""}}`), 1 << 17, 300},
		"a file in a text":                     {part(`{"type":"text","text":"","file":{"file_id":"file-1"}}`), 1 << 17, 300},
		"messages under another case":          {`{"messages":[{"role":"user","content":` + text + `,"Content":[` + image + `]}]}`, 200_000, 300},
		"no messages":                          {`{"messages":"` + strings.Repeat("x", 1000) + `"}`, 1000, 100},
	} {
		if got, _ := tokens(request(t, c.request), 500); got < c.least || got > c.least+c.margin {
			t.Errorf("%s: %d, want %d and %d more at most", name, got, c.least, c.margin)
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	target := &catalog.Target{MaxTokens: 500}
	for before, after := range map[string]string{
		`{"prompt":"x"}`:                                            `{"prompt":"x","parameters":{"max_tokens":500}}`,
		`{"prompt":"x","parameters":{"seed":1}}`:                    `{"prompt":"x","parameters":{"seed":1,"max_tokens":500}}`,
		`{"prompt":"x","parameters":{"max_tokens":null}}`:           `{"prompt":"x","parameters":{"max_tokens":500}}`,
		`{"prompt":"x","parameters":{"max_tokens":7}}`:              `{"prompt":"x","parameters":{"max_tokens":7}}`,
		`{"prompt":"x","parameters":{"max_tokens":9000}}`:           `{"prompt":"x","parameters":{"max_tokens":9000}}`,
		`{"prompt":"x","parameters":{"max_completion_tokens":7}}`:   `{"prompt":"x","parameters":{"max_completion_tokens":7}}`,
		`{"prompt":"x","parameters":{"max_completion_tokens":"x"}}`: `{"prompt":"x","parameters":{"max_completion_tokens":"x","max_tokens":500}}`,
		`{"operation":"text_completion","input":"x"}`:               `{"operation":"text_completion","input":"x","parameters":{"max_tokens":500}}`,
		`{"operation":"embeddings","input":"x"}`:                    `{"operation":"embeddings","input":"x"}`,
	} {
		r := request(t, before)
		got := ledger.Bound(r, target)
		if !reflect.DeepEqual(got, request(t, after)) {
			t.Errorf("%s is bound as %v", before, got.Parameters)
		}
		if !reflect.DeepEqual(r, request(t, before)) {
			t.Errorf("%s was changed to %v", before, r.Parameters)
		}
		if a, b := ledger.Most(target, r), ledger.Most(target, got); a > b {
			t.Errorf("%s may cost %d, and bound %d", before, a, b)
		}
	}
	if got := ledger.Bound(events.Request{}, &catalog.Target{}); string(got.Parameters["max_tokens"]) != "4096" {
		t.Errorf("a target that states no bound: %s", got.Parameters["max_tokens"])
	}
}

func TestNoAttemptWithinItsBoundsCostsMoreThanMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		prompt := rapid.String().Draw(t, "prompt")
		target := &catalog.Target{
			Price:     catalog.Price{Input: rapid.Int64Range(0, 1e9).Draw(t, "input"), Output: rapid.Int64Range(0, 1e9).Draw(t, "output")},
			MaxTokens: rapid.IntRange(1, 1e6).Draw(t, "max"),
		}
		usage := events.Usage{
			PromptTokens: rapid.IntRange(0, len(prompt)).Draw(t, "in"), CompletionTokens: rapid.IntRange(0, target.MaxTokens).Draw(t, "out"),
		}
		usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
		if cost, most := ledger.Cost(target.Price, usage), ledger.Most(target, events.Request{Prompt: &prompt}); cost > most {
			t.Fatalf("it costs %d, and %d at most", cost, most)
		}
	})
}

func FuzzMost(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}},7]}],"parameters":{"n":2,"max_tokens":"9"}}`))
	f.Add([]byte(`{"prompt":"x","parameters":{"max_completion_tokens":1e400,"n":null}}`))
	f.Add([]byte(`{"operation":"text_completion","input":["x",7],"parameters":{"n":2,"best_of":1e300}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":7}}]}]}`))
	target := &catalog.Target{Price: catalog.Price{Input: 1000, Output: 1000}, MaxTokens: 5}
	f.Fuzz(func(t *testing.T, text []byte) {
		var r events.Request
		if json.Unmarshal(text, &r) != nil {
			return
		}
		most, bound := ledger.Most(target, r), ledger.Most(target, ledger.Bound(r, target))
		if most < 1 || most > ledger.MaxMoney || bound < most-1000 {
			t.Errorf("%s may cost %d, and bound %d", text, most, bound)
		}
	})
}
