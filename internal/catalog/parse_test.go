package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

func load(tb testing.TB, path string) *Catalog {
	tb.Helper()
	c, err := Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func parse(tb testing.TB, src string) *Catalog {
	tb.Helper()
	c, err := Parse("baton.yaml", []byte(src))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%+v\nwant:\n%+v", what, got, want)
	}
}

func TestDefaultsAreApplied(t *testing.T) {
	t.Parallel()
	c := parse(t, `
models:
  gpt-4:
    targets: [{name: a, api: openai, url: https://x.example.com/v1/}, {name: b, api: simulated}]
tenants:
  limited: {keys: ["sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"], rate: 90/m}
  open: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]}
`)
	equal(t, "model", c.Models["gpt-4"], &Model{
		ID: "gpt-4", Strategy: Weighted, Attempts: 4,
		Targets: []*Target{
			{
				Name: "a", Model: "gpt-4", API: OpenAI, URL: "https://x.example.com/v1",
				Weight: 1, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute,
			},
			{
				Name: "b", Model: "gpt-4", API: Simulated, Weight: 1, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute,
				Simulate: &Simulate{P50: 120 * time.Millisecond, P99: 400 * time.Millisecond, Tokens: 64, Seed: 1},
			},
		},
	})
	equal(t, "priorities", c.Priorities, map[events.Priority]int{events.High: 8, events.Normal: 3, events.Low: 1})
	equal(t, "callbacks", c.Callbacks, Callbacks{
		Retries: []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute,
			2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
		},
		Timeout: 15 * time.Second,
	})
	equal(t, "limits", c.Limits, Limits{Inline: 64 << 10, Part: 64 << 20, File: 512 << 20, Body: 256 << 10, Deadline: time.Hour})
	equal(t, "kafka", c.Kafka, Kafka{})
	equal(t, "limited", c.Tenants["limited"], &Tenant{
		Name: "limited", Keys: []string{"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		Priority: events.Normal, Models: []string{"*"}, Rate: 1.5, Burst: 2,
	})
	equal(t, "open", c.Tenants["open"], &Tenant{
		Name: "open", Keys: []string{"60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
		Priority: events.Normal, Models: []string{"*"},
	})
}

func TestWhatTheFileSaysIsRead(t *testing.T) {
	t.Parallel()
	t.Run("the contract's example", func(t *testing.T) {
		t.Parallel()
		c := load(t, "testdata/good/contract.yaml")
		equal(t, "model", c.Models["gpt-4-turbo"], &Model{
			ID: "gpt-4-turbo", Strategy: Weighted, Cache: 10 * time.Minute, Attempts: 4, Fallback: []string{"llama-3-70b"},
			Targets: []*Target{
				{
					Name: "openai-main", Model: "gpt-4-turbo", API: OpenAI, URL: "https://api.openai.com/v1",
					Key: "env:OPENAI_API_KEY", Weight: 8, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute,
				},
				{
					Name: "triton-a", Model: "gpt4", API: OIPGRPC, URL: "grpc://10.0.0.5:8001",
					OIP:    OIP{Preset: Triton, Input: "text_input", Output: "text_output"},
					Weight: 2, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute,
				},
				{
					Name: "next", Model: "gpt-4-turbo", API: OpenAI, URL: "https://next.example.com/v1",
					Weight: 1, Canary: 0.05, Concurrency: 64, MaxTokens: 4096, Timeout: time.Minute,
				},
			},
		})
		equal(t, "simulate", c.Models["llama-3-70b"].Targets[0].Simulate, &Simulate{
			P50: 120 * time.Millisecond, P99: 400 * time.Millisecond, ErrorRate: 0.01, Tokens: 64, Seed: 1,
		})
		equal(t, "networks", c.Callbacks.AllowNetworks, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
		equal(t, "http", c.Callbacks.AllowHTTP, true)
		equal(t, "fetch, which callbacks do not open", c.Fetch, Fetch{})
		equal(t, "tenant", c.Tenants["search"], &Tenant{
			Name: "search", Keys: []string{"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			Priority: events.High, Models: []string{"*"}, Rate: 500, Burst: 1000, Secrets: []Secret{"env:SEARCH_WHSEC"},
			CallbackHosts: []string{"hooks.example.com", "*.search.example.com"},
		})
	})
	t.Run("anchors, aliases and merge keys", func(t *testing.T) {
		t.Parallel()
		c := load(t, "testdata/good/anchors.yaml")
		one, two, three := c.Models["a"].Targets[0], c.Models["a"].Targets[1], c.Models["a"].Targets[2]
		equal(t, "urls", []string{one.URL, two.URL, three.URL},
			[]string{"https://one.example.com/v1", "https://two.example.com/v1", "https://one.example.com/v1"})
		equal(t, "timeouts", []time.Duration{one.Timeout, two.Timeout, three.Timeout},
			[]time.Duration{90 * time.Second, 90 * time.Second, 90 * time.Second})
		equal(t, "weights", []int{one.Weight, two.Weight, three.Weight}, []int{1, 1, 0})
		equal(t, "fallback", c.Models["c"].Fallback, []string{"a"})
		equal(t, "p99 follows p50", c.Models["c"].Targets[0].Simulate.P99, time.Second)
		equal(t, "p50 follows p99", *c.Models["c"].Targets[1].Simulate,
			Simulate{P50: 50 * time.Millisecond, P99: 50 * time.Millisecond, ErrorRate: 0.025, Tokens: 64, Seed: 1})
	})
	t.Run("every spelling of a value", func(t *testing.T) {
		t.Parallel()
		c := load(t, "testdata/good/spellings.yaml")
		m, tenant := c.Models["gpt-3.5-turbo"], c.Tenants["a.b_c-D"]
		equal(t, "cache", m.Cache, 90*time.Minute)
		equal(t, "url", m.Targets[0].URL, "https://[2001:db8::1]:8443/v1")
		equal(t, "canary", m.Targets[1].Canary, 0.125)
		equal(t, "seed", c.Models["meta-llama/Llama-3:70b"].Targets[0].Simulate.Seed, uint64(18446744073709551615))
		equal(t, "retries", c.Callbacks.Retries, []time.Duration{0, 500 * time.Millisecond})
		equal(t, "limits", c.Limits, Limits{Body: 8 << 20, Inline: 1 << 10, Part: 0, File: 5 << 30, Deadline: 24 * time.Hour})
		equal(t, "priorities", c.Priorities, map[events.Priority]int{events.High: 8, events.Normal: 3, events.Low: 2})
		equal(t, "rate", tenant.Rate, 0.5)
		equal(t, "burst", tenant.Burst, 1)
		equal(t, "hosts", tenant.CallbackHosts,
			[]string{"hooks.example.com", "127.0.0.1", "::1", "localhost", "xn--bcher-kva.example"})
	})
}

// TestNothingOfAValueIsInAnError puts a secret in the place of each value of a file, in every form that goes wrong in its own
// way, and looks for it in the error.
func TestNothingOfAValueIsInAnError(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2hunter2hunter2"
	src, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	src = regexp.MustCompile(`(?m)#.*$`).ReplaceAll(src, nil)
	values := regexp.MustCompile(`(?m)(?:: |- |\[|, )("[^"]*"|[^\s,\]}{\["]+)`).FindAllSubmatchIndex(src, -1)
	if len(values) < 50 {
		t.Fatalf("found %d values only", len(values))
	}
	refused := 0
	for _, form := range []string{
		"S", "'S'", `"S`, "'S", "https://user:S@x.example.com", "https://user:S@x.example.com:port", "https://S@[::1",
		"{S: 1}", "{S}", "[S]", "[S", "{S", "&S x", "*S", "!S x", "!!S", "S: x", "S:", "@S", "`S", "%S", "|S", "? S",
		"env:S x", "env:S-x", "sha256:S", "5S", "- S", "\\S", `"\S"`, "\"\\uS\"", "S\n                S: S", "{<<: S}", "\tS",
	} {
		planted := []byte(strings.ReplaceAll(form, "S", secret))
		for _, at := range values {
			broken := slices.Concat(src[:at[2]], planted, src[at[3]:])
			_, err := Parse("baton.yaml", broken)
			if err == nil {
				continue
			}
			refused++
			if strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("the error of\n%s\nshows a value of it:\n%v", broken, err)
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d files were refused", refused)
	}
}

func TestHostileFilesAreRefusedAndNoMore(t *testing.T) {
	t.Parallel()
	bomb := nested(9, "a%d: &a%d [*a%d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d, *a%[3]d]\n")
	merges := nested(40, "x%d: &a%d {<<: [*a%d, *a%[3]d]}\n")
	for name, src := range map[string]string{
		"aliases that stand for billions of values":        "a0: &a0 [x]\n" + bomb + "models: {a: {fallback: *a9, targets: *a9}}\n",
		"merges that stand for billions of values":         "models: &a0 {a: {targets: []}}\n" + merges + "<<: *a40\n",
		"a list of lists for each byte":                    strings.Repeat("[", 50_000),
		"a mapping of mappings for each few bytes":         strings.Repeat("{a: ", 20_000),
		"block lists of lists in one line":                 strings.Repeat("- ", 40_000),
		"keys of keys in one line":                         strings.Repeat("? ", 40_000),
		"tags of tags":                                     strings.Repeat("!a ", 30_000),
		"tags of tags, a line each":                        strings.Repeat("!a\n", 30_000),
		"anchors of anchors":                               strings.Repeat("&a ", 30_000),
		"keys without values":                              strings.Repeat(": ", 30_000),
		"lists of keys":                                    strings.Repeat("- ? ", 20_000),
		"a file that is too large":                         strings.Repeat("#", maxSource+1),
		"a file that is not UTF-8":                         "models:\n  gpt\xff: {}\n",
		"a file of zeros":                                  strings.Repeat("\x00", 1000),
		"a file that is UTF-16":                            "\xff\xfem\x00o\x00d\x00e\x00l\x00s\x00:\x00",
		"a key that is longer than any":                    "models: {" + strings.Repeat("k", 100_000) + ": 1}\n",
		"a byte order mark and nothing else":               "\xef\xbb\xbf",
		"an alias that stands for nothing":                 "models: {a: *b}\n",
		"an alias of the mapping it is in":                 "models: &a {a: *a}\n",
		"a merge of the mapping it is in":                  "models: &a {<<: *a}\n",
		"a merge of what is no mapping":                    "models: {<<: [1, [2], null, x, *x]}\n",
		"many nested levels by indentation":                indented(700),
		"a thousand unknown keys":                          strings.Repeat("x: 1\n", 1000),
		"a document end and more":                          "models: {}\n...\nmodels: {}\n",
		"a directive and nothing":                          "%YAML 1.2\n---\n",
		"an anchor without a value":                        "models: &a\n",
		"a colon":                                          ":",
		"a question mark":                                  "?",
		"an exclamation mark as the value":                 "models: !\n",
		"a text over many lines that is never closed":      "models: \"" + strings.Repeat("a\n", 10_000),
		"a block text with a wrong head":                   "models: |9\n a\n",
		"a mapping with a list as its key":                 "models: {[a]: 1}\n",
		"a mapping with a mapping as its key":              "models: {{a: b}: 1}\n",
		"a key that is an alias":                           "models: {&a a: 1, *a : 2}\n",
		"a list item without its list":                     "models:\n  gpt-4:\n  - a\n  b: 1\n",
		"a plain text in which a colon is not followed by": "models: {a:b:c, d:e}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Parse("baton.yaml", []byte(src))
			faults, ok := errors.AsType[*Faults](err)
			if c != nil || !ok {
				t.Fatalf("Parse = %v, %v: want faults", c, err)
			}
			for f := range faults.All() {
				if f.File != "baton.yaml" || f.Line < 1 || f.Column < 1 || f.Problem == "" || len(f.Path) > 1000 {
					t.Fatalf("a fault without its place or problem: %+v", f)
				}
			}
		})
	}
}

// nested returns a line for each level, made of its number twice and the number of the level before.
func nested(levels int, line string) string {
	var b strings.Builder
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&b, line, i, i, i-1)
	}
	return b.String()
}

func indented(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestFaultsCanBePrintedAndEncoded(t *testing.T) {
	t.Parallel()
	_, err := Parse("dir/baton.yaml", []byte("models:\n  gpt-4.5: {targets: []}\nx: 1\n"))
	faults, ok := errors.AsType[*Faults](err)
	if !ok || faults.Len() != 2 {
		t.Fatalf("err = %v: want two faults", err)
	}
	equal(t, "text", faults.Error(),
		`dir/baton.yaml:2:22: models["gpt-4.5"].targets: is an empty list: give one place at least where the model can be called
dir/baton.yaml:3:1: x: unknown key: the keys here are callbacks, fetch, kafka, limits, models, priorities, tenants`)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for f := range faults.All() {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
		break
	}
	equal(t, "JSON", b.String(), `{"file":"dir/baton.yaml","line":2,"column":22,"path":"models[\"gpt-4.5\"].targets",`+
		`"problem":"is an empty list: give one place at least where the model can be called"}`+"\n")
}

func TestCountsAreInWords(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{"": "1 fault", "x: 1\nmodels: {}\n": "2 faults"} {
		_, err := Parse("f", []byte(src))
		if faults, ok := errors.AsType[*Faults](err); !ok || faults.Count() != want {
			t.Errorf("%q has %v: want %s", src, err, want)
		}
	}
	equal(t, "one", parse(t, one).Count(), "1 model, 0 tenants")
	equal(t, "more", load(t, "testdata/full.yaml").Count(), "4 models, 2 tenants")
}

func TestLoadNamesTheFileItCannotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), path) != 1 {
		t.Errorf("err = %v: want fs.ErrNotExist with the path once", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was loaded")
	}
}
