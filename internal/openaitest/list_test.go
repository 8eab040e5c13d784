package openaitest_test

import (
	"regexp"
	"testing"

	"baton.dev/baton/internal/openaitest"
)

// A skipping is a test that records how it ends.
type skipping struct {
	testing.TB

	skipped, failed bool
}

func (s *skipping) Helper() {}

func (s *skipping) Skipf(string, ...any) {
	s.skipped = true
	panic(s)
}

func (s *skipping) Fatalf(string, ...any) {
	s.failed = true
	panic(s)
}

func (s *skipping) Errorf(string, ...any) { s.failed = true }

func TestWithoutNodeATestIsSkippedUnlessItIsRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for required, wantFailed := range map[string]bool{"": false, "1": true} {
		tb := &skipping{TB: t}
		func() {
			defer func() { _ = recover() }()
			openaitest.JavaScript(tb, "http://127.0.0.1:1/v1", "key", func(name string) string {
				if name == "BATON_REQUIRE_NODE" {
					return required
				}
				return ""
			})
		}()
		if tb.failed != wantFailed || tb.skipped == wantFailed {
			t.Errorf("required %q: failed %t, skipped %t", required, tb.failed, tb.skipped)
		}
	}
}

func TestADifferenceIsLeftOutWhereItIsAllowed(t *testing.T) {
	t.Parallel()
	all := []openaitest.Transcript{{Name: "one", Outcome: []byte(`{"a":{"b":1,"c":2},"l":[{"x":1},{"x":2,"y":3}]}`)}}
	one := regexp.MustCompile("^one$")
	for path, want := range map[string]string{
		"a.b": `{"a":{"c":2},"l":[{"x":1},{"x":2,"y":3}]}`, "l.*.x": `{"a":{"b":1,"c":2},"l":[{},{"y":3}]}`, "a": `{"l":[{"x":1},{"x":2,"y":3}]}`,
		"": `null`,
	} {
		got := openaitest.Without(t, all, []openaitest.Difference{{Calls: one, Path: path}})
		if text := regexp.MustCompile(`\s`).ReplaceAllString(string(got[0].Outcome), ""); text != want {
			t.Errorf("without %s it is %s, want %s", path, text, want)
		}
	}
	for _, d := range []openaitest.Difference{{Calls: one, Path: "a.z"}, {Calls: regexp.MustCompile("^two$")}} {
		tb := &skipping{TB: t}
		openaitest.Without(tb, all, []openaitest.Difference{d})
		if !tb.failed {
			t.Errorf("%v is allowed, though nothing is different there", d)
		}
	}
}
