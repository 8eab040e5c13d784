package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestSimulateIsParsedAsInTheFile(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	usual := Simulate{P50: 120 * ms, P99: 400 * ms, Tokens: 64, Seed: 1}
	for text, want := range map[string]Simulate{
		"":                    usual,
		" {} ":                usual,
		"p50: 10ms":           {P50: 10 * ms, P99: 400 * ms, Tokens: 64, Seed: 1},
		"p50: 1s":             {P50: time.Second, P99: time.Second, Tokens: 64, Seed: 1},
		"{p99: 50ms}":         {P50: 50 * ms, P99: 50 * ms, Tokens: 64, Seed: 1},
		"p50: 0, p99: 0":      {Tokens: 64, Seed: 1},
		"error_rate: 2.5%":    {P50: 120 * ms, P99: 400 * ms, ErrorRate: 0.025, Tokens: 64, Seed: 1},
		" tokens: 8, seed: 7": {P50: 120 * ms, P99: 400 * ms, Tokens: 8, Seed: 7},
		"{p50: 120ms, p99: 400ms, error_rate: 0.01, tokens: 64, seed: 1}": {
			P50: 120 * ms, P99: 400 * ms, ErrorRate: 0.01, Tokens: 64, Seed: 1,
		},
		`"p50": "1m", 'seed': 18446744073709551615`: {P50: time.Minute, P99: time.Minute, Tokens: 64, Seed: 18446744073709551615},
	} {
		got, err := ParseSimulate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		equal(t, text, got, want)
		src := "models: {m: {targets: [{name: a, api: simulated, simulate: {" + strings.Trim(text, " {}") + "}}]}}"
		equal(t, text+" in a file", *parse(t, src).Models["m"].Targets[0].Simulate, want)
	}
}

func TestWhatIsWrongWithSimulateIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"p50: 120":           "simulate:1:6: p50: has no unit: expected a duration such as 120ms, 60s or 1h30m",
		"{p50: 120}":         "simulate:1:7: p50: has no unit: expected a duration such as 120ms, 60s or 1h30m",
		"  p50: 120":         "simulate:1:8: p50: has no unit: expected a duration such as 120ms, 60s or 1h30m",
		"p50: 1s, p99: 10ms": "simulate:1:15: p99: is less than p50: raise it",
		"p05: 1s":            "simulate:1:1: p05: unknown key: did you mean p50?",
		"seed: 1, seed: 2":   "simulate:1:10: seed: is given twice, first in line 1: remove one",
		"tokens: 0, error_rate: 2": "simulate:1:9: tokens: is out of range: expected a whole number from 1 to 1000000\n" +
			"simulate:1:24: error_rate: is out of range: expected a share from 0 to 1, such as 0.01, or a percentage",
		"[1]":      "simulate:1:1: expected a mapping, got a list",
		"fast":     "simulate:1:1: fast: unknown key: the keys here are error_rate, p50, p99, seed, tokens",
		"{p50: 1s": "simulate:1:1: is not valid YAML: could not find flow mapping end token '}'",
	} {
		got, err := ParseSimulate(text)
		if _, ok := errors.AsType[*Faults](err); !ok || got != (Simulate{}) {
			t.Errorf("%q = %+v, %T: want *Faults alone", text, got, err)
		}
		equal(t, text, fmt.Sprint(err), want)
	}
}
