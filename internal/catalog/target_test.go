package catalog

import (
	"strings"
	"testing"
	"time"
)

func names(targets []*Target) string {
	var list []string
	for _, t := range targets {
		list = append(list, t.Name)
	}
	return strings.Join(list, " ")
}

func TestATargetIsStableACanaryOrAShadow(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/good/policy.yaml")
	for id, want := range map[string][4]string{
		"gpt-4": {"main", "next", "seen", "main next seen"},
		"llama": {"llama", "", "", "llama"},
		"tiny":  {"tiny", "", "", "tiny"},
		"chat":  {"", "", "", "main next seen llama"},
	} {
		m := c.Models[id]
		got := [4]string{names(m.Stable()), names(m.Canaries()), names(m.Shadows()), names(c.TargetsOf(m))}
		if got != want {
			t.Errorf("%s has %q, want %q", id, got, want)
		}
	}
	mixed := &Model{Targets: []*Target{{Name: "a"}, {Name: "b", Canary: 0.1}, {Name: "c"}, {Name: "d", Shadow: 1}, {Name: "e"}}}
	equal(t, "stable", names(mixed.Stable()), "a c e")
	equal(t, "all of it", names(mixed.Targets), "a b c d e")
	lost := &Model{Group: []Member{{"none", 1}, {"tiny", 1}}}
	equal(t, "of a group made in code", names(c.TargetsOf(lost)), "tiny")
}

func TestAModelOfStableTargetsCostsNoCopy(t *testing.T) {
	t.Parallel()
	m := load(t, "testdata/good/policy.yaml").Models["tiny"]
	if got := m.Stable(); &got[0] != &m.Targets[0] {
		t.Error("the list is a copy")
	}
}

func TestAFingerprintIsThatOfWhatIsTried(t *testing.T) {
	t.Parallel()
	target := func(change func(*Target)) *Target {
		tried := &Target{
			Name: "a", API: OpenAI, URL: "https://x.example.com/v1", Model: "m", Key: "env:K", Weight: 2, Canary: 0.05,
			Concurrency: 64, Timeout: time.Minute, MaxTokens: 4096,
		}
		change(tried)
		return tried
	}
	first := target(func(*Target) {}).Fingerprint()
	for what, change := range map[string]func(*Target){
		"name": func(t *Target) { t.Name = "b" }, "key": func(t *Target) { t.Key = "env:L" },
		"weight": func(t *Target) { t.Weight = 3 }, "shadow": func(t *Target) { t.Shadow = 0.5 },
		"concurrency": func(t *Target) { t.Concurrency = 1 }, "price": func(t *Target) { t.Price.Input = 1 },
		"max_tokens": func(t *Target) { t.MaxTokens = 1 }, "timeout": func(t *Target) { t.Timeout = 1 },
		"ca": func(t *Target) { t.TLS.CA = "env:CA" }, "certificate": func(t *Target) { t.TLS.Cert, t.TLS.Key = "env:C", "env:K" },
		"fetch_urls": func(t *Target) { t.FetchURLs = true },
	} {
		if target(change).Fingerprint() != first {
			t.Errorf("%s changes it", what)
		}
	}
	seen := map[string]string{first: "nothing"}
	for what, change := range map[string]func(*Target){
		"api":      func(t *Target) { t.API = OIPHTTP },
		"url":      func(t *Target) { t.URL = "https://y.example.com/v1" },
		"model":    func(t *Target) { t.Model = "n" },
		"canary":   func(t *Target) { t.Canary = 0.051 },
		"p50":      func(t *Target) { t.Simulate = &Simulate{P50: 1} },
		"p99":      func(t *Target) { t.Simulate = &Simulate{P99: 1} },
		"errors":   func(t *Target) { t.Simulate = &Simulate{ErrorRate: 0.1} },
		"tokens":   func(t *Target) { t.Simulate = &Simulate{Tokens: 1} },
		"seed":     func(t *Target) { t.Simulate = &Simulate{Seed: 1} },
		"header":   func(t *Target) { t.Auth.Header = "api-key" },
		"client":   func(t *Target) { t.Auth.OAuth2 = &OAuth2{ClientID: "a"} },
		"server":   func(t *Target) { t.Auth.OAuth2 = &OAuth2{TokenURL: "a"} },
		"scope":    func(t *Target) { t.Auth.OAuth2 = &OAuth2{Scopes: []string{"a"}} },
		"scopes":   func(t *Target) { t.Auth.OAuth2 = &OAuth2{Scopes: []string{"a", "b"}} },
		"audience": func(t *Target) { t.Auth.OAuth2 = &OAuth2{Audience: "a"} },
		"region":   func(t *Target) { t.Auth.SigV4 = &SigV4{Region: "a"} },
		"service":  func(t *Target) { t.Auth.SigV4 = &SigV4{Service: "a"} },
		"name":     func(t *Target) { t.TLS.ServerName = "a" },
		"headers":  func(t *Target) { t.Headers = map[string]string{"a": "b"} },
		"value":    func(t *Target) { t.Headers = map[string]string{"a": "c"} },
		"preset":   func(t *Target) { t.OIP.Preset = VLLM },
		"input":    func(t *Target) { t.OIP.Input = "a" },
		"output":   func(t *Target) { t.OIP.Output = "a" },
		"version":  func(t *Target) { t.OIP.Version = "a" },
		"stream":   func(t *Target) { t.OIP.Stream = true },
		"edge":     func(t *Target) { t.Edge = true },
		"a border": func(t *Target) { t.URL, t.Model = t.URL+` m`, "" },
	} {
		fingerprint := target(change).Fingerprint()
		if same, ok := seen[fingerprint]; ok {
			t.Errorf("%s and %s have the same", what, same)
		}
		seen[fingerprint] = what
	}
	// It is written down where processes share what they learn, of this version and the next.
	equal(t, "fingerprint", first, "d7149e5303e98e1f54282dd50cc6f2b5")
}

func TestPricesBudgetsAndGroupsAreReadExactly(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/good/policy.yaml")
	price := func(name string) Price {
		target, _, _ := c.Target(name)
		return target.Price
	}
	equal(t, "main", price("main"), Price{Input: 10_000, Output: 30_000})
	equal(t, "next", price("next"), Price{Input: 75})
	equal(t, "seen", price("seen"), Price{Output: 1_000_000_000})
	equal(t, "llama", price("llama"), Price{Input: 1})
	equal(t, "tiny", price("tiny"), Price{})
	equal(t, "shadow", c.Models["gpt-4"].Targets[2].Shadow, 0.125)
	equal(t, "max_tokens", c.Models["gpt-4"].Targets[0].MaxTokens, 16384)
	equal(t, "hour", c.Tenants["hour"].Budget, Budget{1, Hour})
	equal(t, "day", c.Tenants["day"].Budget, Budget{25_000_000, Day})
	equal(t, "month", c.Tenants["month"].Budget, Budget{1_000_000_000_000_000, Month})
	equal(t, "queued", []int{c.Tenants["hour"].Queued, c.Tenants["day"].Queued, c.Tenants["month"].Queued}, []int{1, 0, 1_000_000_000})
	equal(t, "group", c.Models["chat"], &Model{
		ID: "chat", Strategy: Weighted, Cache: 5 * time.Minute, Attempts: 2, Fallback: []string{"tiny"},
		Group: []Member{{"gpt-4", 3}, {"llama", 1}},
	})
}
