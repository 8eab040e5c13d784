package catalog

import (
	"strconv"
	"strings"
	"testing"
)

func TestTenantByKey(t *testing.T) {
	t.Parallel()
	key, hash, err := NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, `
models: {tiny: {targets: [{name: tiny, api: simulated}]}}
tenants:
  a: {keys: [`+hash+`, `+HashKey("second")+`]}
  b: {keys: [`+HashKey("other")+`]}
`)
	for presented, want := range map[string]string{
		key: "a", "second": "a", "other": "b", "": "", "Other": "", hash: "", "unknown": "", key + " ": "",
	} {
		got, ok := c.TenantByKey(presented)
		if ok != (want != "") || ok && got.Name != want {
			t.Errorf("TenantByKey(%q) = %v, %v: want %q", presented, got, ok, want)
		}
	}
}

func TestTargetNamesAreOfTheWholeFile(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/full.yaml")
	target, model, ok := c.Target("triton-a")
	if !ok || target.URL != "grpcs://10.0.0.5:8001" || model.ID != "gpt-4-turbo" {
		t.Errorf("Target(triton-a) = %+v, %+v, %v", target, model, ok)
	}
	if target, model, ok := c.Target("none"); ok || target != nil || model != nil {
		t.Errorf("Target(none) = %+v, %+v, %v", target, model, ok)
	}
}

func TestModelsForATenantAreSortedAndOnlyItsOwn(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/full.yaml")
	equal(t, "all", c.ModelsFor(c.Tenants["search"]), []string{"chat", "gpt-4-turbo", "llama-3-70b", "tiny"})
	equal(t, "some", c.ModelsFor(c.Tenants["batch"]), []string{"llama-3-70b", "tiny"})
	many := &Catalog{Models: map[string]*Model{}, Tenants: map[string]*Tenant{"t": {Models: []string{AnyModel}}}}
	var sorted []string
	for c := 'a'; c <= 'z'; c++ {
		many.Models[string(c)] = &Model{ID: string(c)}
		sorted = append(sorted, string(c))
	}
	equal(t, "many", many.ModelsFor(many.Tenants["t"]), sorted)
	equal(t, "of a tenant of another catalog", c.ModelsFor(&Tenant{Models: []string{"tiny", "gone"}}), []string{"tiny"})
	for model, want := range map[string]bool{"tiny": true, "gpt-4-turbo": false, "*": false, "": false} {
		if got := c.Tenants["batch"].MayUse(model); got != want {
			t.Errorf("batch may use %q: %v", model, got)
		}
	}
	if !c.Tenants["search"].MayUse("gpt-4-turbo") {
		t.Error("a tenant of every model may not use one")
	}
}

func TestACatalogMadeInCodeCanBeLookedUp(t *testing.T) {
	t.Parallel()
	target := &Target{Name: "sim", API: Simulated}
	model := &Model{ID: "tiny", Targets: []*Target{target}}
	tenant := &Tenant{Name: "a", Keys: []string{strings.TrimPrefix(HashKey("key"), "sha256:"), "no hash"}, Models: []string{"*"}}
	c := &Catalog{Models: map[string]*Model{"tiny": model}, Tenants: map[string]*Tenant{"a": tenant}}
	if got, ok := c.TenantByKey("key"); !ok || got != tenant {
		t.Errorf("TenantByKey = %v, %v", got, ok)
	}
	if got, of, ok := c.Target("sim"); !ok || got != target || of != model {
		t.Errorf("Target = %v, %v, %v", got, of, ok)
	}
	equal(t, "models", c.ModelsFor(tenant), []string{"tiny"})
}

func TestATenantNameThatIsValidIsOneInAFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"search": true, "a.b_c-D": true, "0": true, strings.Repeat("a", 64): true,
		"": false, "a b": false, "a\n": false, "é": false, "a/b": false, "*": false, strings.Repeat("a", 65): false,
	} {
		if got := ValidTenantName(name); got != want {
			t.Errorf("ValidTenantName(%q) = %v", name, got)
		}
		_, err := Parse("f", []byte("models: {m: {targets: [{name: m, api: simulated}]}}\ntenants: {"+strconv.Quote(name)+
			": {keys: ["+HashKey("k")+"]}}\n"))
		if (err == nil) != want {
			t.Errorf("a tenant of the name %q: %v", name, err)
		}
	}
}

func TestCallbackHosts(t *testing.T) {
	t.Parallel()
	some := &Tenant{CallbackHosts: []string{"hooks.example.com", "*.search.example.com", "127.0.0.1", "::1"}}
	for host, want := range map[string]bool{
		"hooks.example.com":            true,
		"HOOKS.Example.COM":            true,
		"hooks.example.com.":           true,
		"a.search.example.com":         true,
		"A.B.C.search.example.com":     true,
		"127.0.0.1":                    true,
		"::1":                          true,
		"0:0:0:0:0:0:0:1":              true,
		"search.example.com":           false,
		"..search.example.com":         false,
		".search.example.com":          false,
		"evilsearch.example.com":       false,
		"a.search.example.com.evil.io": false,
		"hooks.example.com.evil.io":    false,
		"xhooks.example.com":           false,
		"hooks.example.com:443":        false,
		"hooks.example.com..":          false,
		"127.0.0.11":                   false,
		"::ffff:127.0.0.1":             false,
		"*.search.example.com":         true, // harmless: no such name resolves
		"":                             false,
	} {
		if got := some.MayCallBack(host); got != want {
			t.Errorf("MayCallBack(%q) = %v", host, got)
		}
	}
	if open := (&Tenant{}); !open.MayCallBack("anything.example") {
		t.Error("a tenant without hosts may not call back to any")
	}
}

func BenchmarkLookups(b *testing.B) {
	c := load(b, "testdata/full.yaml")
	tenant := c.Tenants["search"]
	b.ReportAllocs()
	for b.Loop() {
		c.TenantByKey("test")
		c.Target("triton-a")
		c.ModelsFor(tenant)
		tenant.MayUse("tiny")
		tenant.MayCallBack("a.search.example.com")
	}
}
