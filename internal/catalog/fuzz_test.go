package catalog

import (
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
)

// FuzzParseSimulate looks for a text that is neither refused with its place nor a behaviour within its bounds.
func FuzzParseSimulate(f *testing.F) {
	for _, text := range []string{
		"", "p50: 1s", "{p50: 120ms, p99: 400ms, error_rate: 0.01, tokens: 64, seed: 1}", "p50: 120", "{p50: 1s", "p50: 1s}, {",
		"p50: 1s} # ", "\n{}", "p50: &a 1s, p99: *a", "[1]", "\"p50", "p50: 1s\n---\n", "<<: {p50: 1s}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSimulate(text)
		if err == nil {
			if s.P50 < 0 || s.P99 < s.P50 || s.ErrorRate < 0 || s.ErrorRate > 1 || s.Tokens < 1 {
				t.Fatalf("%q = %+v", text, s)
			}
			return
		}
		faults, ok := errors.AsType[*Faults](err)
		if !ok || faults.Len() == 0 || s != (Simulate{}) {
			t.Fatalf("%q = %+v, %v", text, s, err)
		}
		for fault := range faults.All() {
			if fault.Line < 1 || fault.Column < 1 || fault.Problem == "" || strings.Contains(fault.String(), "\n") {
				t.Fatalf("fault = %+v", fault)
			}
		}
	})
}

// FuzzParseMoney looks for a text that is read as another amount than it says, or an amount that is not written as it is read.
func FuzzParseMoney(f *testing.F) {
	for _, text := range []string{
		"", "0", "12", "12.50", "-0.000001", "9223372036854.775807", "-9223372036854.775808", "9223372036854.775808", "1.", ".1", "01",
		"1.0000000", "+1", "1e3", "--1", "1_0", "0x1", "١", "-", "1.-1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMoney(text)
		exact, isNumber := new(big.Rat).SetString(text)
		if err != nil {
			if m != 0 {
				t.Fatalf("%q = %d, %v", text, m, err)
			}
			return
		}
		if !isNumber || exact.Cmp(big.NewRat(int64(m), 1e6)) != 0 {
			t.Fatalf("%q = %d", text, m)
		}
		if again, err := ParseMoney(m.String()); err != nil || again != m {
			t.Fatalf("%q = %d = %s = %d, %v", text, m, m, again, err)
		}
	})
}

// FuzzParse looks for a file that makes the loader panic, that it refuses without saying where and why, or that it accepts and
// the schema does not.
func FuzzParse(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add([]byte(g.source))
	}
	for _, path := range valid(f) {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	schema := compileSchema(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := Parse("f", src)
		if err != nil {
			faults, ok := errors.AsType[*Faults](err)
			if c != nil || !ok || faults.Len() == 0 {
				t.Fatalf("Parse = %v, %v", c, err)
			}
			for fault := range faults.All() {
				if fault.Line < 1 || fault.Column < 1 || fault.Problem == "" || strings.Contains(fault.String(), "\n") {
					t.Fatalf("fault = %+v", fault)
				}
			}
			return
		}
		if len(c.Models) == 0 {
			t.Fatal("a catalog without models")
		}
		for _, m := range c.Models {
			if (len(m.Targets) == 0) == (len(m.Group) == 0) || m.Attempts < 1 || m.Strategy == "" {
				t.Fatalf("model = %+v", m)
			}
			if len(m.Group) == 0 && len(m.Stable()) == 0 || len(c.TargetsOf(m)) == 0 {
				t.Fatalf("nothing takes the requests of %+v", m)
			}
			for _, id := range m.Fallback {
				if of, ok := c.Models[id]; !ok || len(of.Group) > 0 {
					t.Fatalf("model %s falls back on %s: %+v", m.ID, id, of)
				}
			}
			for _, target := range m.Targets {
				if got, of, ok := c.Target(target.Name); !ok || got != target || of != m {
					t.Fatalf("Target(%q) = %v, %v, %v", target.Name, got, of, ok)
				}
				if a := target.Auth; target.Key != "" && (a.OAuth2 != nil || a.SigV4 != nil) || target.Key == "" && a.Header != "" {
					t.Fatalf("target = %+v", target)
				}
				if oip := target.API == OIPGRPC || target.API == OIPHTTP; oip != (target.OIP.Output != "") || oip && target.FetchURLs {
					t.Fatalf("target = %+v", target)
				}
				if p := target.Price; p.Input < 0 || p.Input > maxPrice || p.Output < 0 || p.Output > maxPrice || target.MaxTokens < 1 {
					t.Fatalf("target = %+v", target)
				}
			}
		}
		for _, tenant := range c.Tenants {
			if b := tenant.Budget; b != (Budget{}) && (b.Amount < 1 || b.Amount > maxBudget || b.Period == "") || tenant.Queued < 0 {
				t.Fatalf("tenant = %+v", tenant)
			}
			if len(tenant.Intake.Kafka) > 0 && len(c.Kafka.Brokers) == 0 || len(tenant.CallbackQueues) > 0 && len(tenant.Secrets) == 0 {
				t.Fatalf("tenant = %+v", tenant)
			}
		}
		if l := c.Limits; l.Body < 1 || l.Body > maxBody || l.Inline < minInline || l.Part < 0 || l.Part > maxPart || l.File < minUpload {
			t.Fatalf("limits = %+v", l)
		}
		for _, w := range c.Warnings() {
			if w.File != "f" || w.Line < 1 || w.Column < 1 || w.Path == "" || w.Problem == "" || strings.Contains(w.String(), "\n") {
				t.Fatalf("warning = %+v", w)
			}
		}
		if got := schema.verdict(string(src)); got == refuses {
			t.Fatal("the loader accepts the file, the schema refuses it")
		}
	})
}
