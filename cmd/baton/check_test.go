package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	good, bad := filepath.Join(t.TempDir(), "good.yaml"), filepath.Join(t.TempDir(), "bad.yaml")
	for path, content := range map[string]string{
		good: "models:\n  m: {targets: [{name: a, api: simulated, simulate: {p50: 1ms, p99: 2ms}}]}\n",
		bad:  "models:\n  m: {targets: [{name: A, api: simulator}]}\nmodells: 1\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if status, out, err := baton(t, "check", good); status != 0 || !strings.Contains(out, "is valid: 1 model, 1 target, 0 tenants") {
		t.Errorf("good: exit %d: %s%s", status, out, err)
	}
	status, out, _ := baton(t, "check", bad)
	if status != 1 || !strings.Contains(out, "bad.yaml:2:") || !strings.Contains(out, "bad.yaml:3:") || strings.Count(out, "\n") < 4 {
		t.Errorf("bad: exit %d:\n%s", status, out)
	}
	status, out, _ = baton(t, "check", "--json", bad)
	var v struct {
		Valid  bool
		Faults []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || status != 1 || v.Valid || len(v.Faults) < 3 {
		t.Errorf("bad, as JSON: exit %d, %v:\n%s", status, err, out)
	}
	if status, _, err := baton(t, "check", filepath.Join(t.TempDir(), "none")); status != 1 || err == "" {
		t.Errorf("none: exit %d: %s", status, err)
	}
}

func TestCheckCountsAndWarns(t *testing.T) {
	t.Parallel()
	good := written(t, "good.yaml", "models: {chat: {targets: [{name: a, api: simulated}, {name: b, api: simulated}]}}\n")
	status, out, _ := baton(t, "check", "--json", good)
	var v struct {
		Valid                    bool
		Faults, Warnings         []struct{ File, Problem string }
		Models, Targets, Tenants int
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || status != 0 || !v.Valid || v.Faults == nil || v.Models != 1 || v.Targets != 2 || v.Tenants != 0 ||
		len(v.Warnings) == 0 || v.Warnings[0].File != good || v.Warnings[0].Problem == "" {
		t.Errorf("exit %d, %v:\n%s", status, err, out)
	}
	status, out, _ = baton(t, "check", good)
	if status != 0 || !strings.Contains(out, "warning: ") || !strings.Contains(out, "is valid: 1 model, 2 targets, 0 tenants.") {
		t.Errorf("exit %d:\n%s", status, out)
	}
	if status, out, _ := baton(t, "check", written(t, "bad.yaml", "modells: 1\n")); status != 1 || !strings.Contains(out, "is not valid: ") {
		t.Errorf("exit %d:\n%s", status, out)
	}
}

func TestCheckSaysAsJSONThatAFileCannotBeRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.yaml")
	status, out, stderr := baton(t, "check", "--json", path)
	var v struct {
		Valid  *bool
		Faults []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || status != 1 || stderr != "" || v.Valid == nil || *v.Valid || len(v.Faults) != 1 {
		t.Fatalf("exit %d, %v:\n%s%s", status, err, out, stderr)
	}
	problem, _ := v.Faults[0]["problem"].(string)
	if f := v.Faults[0]; len(f) != 2 || f["file"] != path || !strings.HasPrefix(problem, "cannot be read: ") || strings.Contains(problem, path) {
		t.Errorf("the fault is %v", f)
	}
}

// unpriced is a configuration with so many targets, a line each from the fourth, that have no price and that a tenant with a
// budget may use. Two other warnings, which are alike, come after theirs.
func unpriced(targets int) string {
	var b strings.Builder
	b.WriteString("models:\n  m:\n    targets:\n")
	for i := range targets {
		fmt.Fprintf(&b, "      - {name: t%d, api: simulated}\n", i)
	}
	fmt.Fprintf(&b, "tenants:\n  search: {keys: [\"sha256:%064d\"], models: [\"*\"], budget: 1/day}\n", 1)
	fmt.Fprintf(&b, "  idle: {keys: [\"sha256:%064d\"], models: [m]}\n", 2)
	return b.String()
}

func TestCheckCutsWarningsThatSayTheSame(t *testing.T) {
	t.Parallel()
	const said = "is missing, and tenant search"
	for targets, want := range map[int]struct {
		shown int
		more  string
	}{
		5:  {5, ""},
		6:  {3, "\n  and 3 more that say the same; --json has all\n"},
		40: {3, "\n  and 37 more that say the same; --json has all\n"},
	} {
		path := written(t, "baton.yaml", unpriced(targets))
		status, out, _ := baton(t, "check", path)
		if status != 0 || strings.Count(out, said) != want.shown || strings.Count(out, "warning: ") != want.shown+2 ||
			!strings.Contains(out, fmt.Sprintf("It has %d warnings.", targets+2)) {
			t.Errorf("%d targets: exit %d:\n%s", targets, status, out)
		}
		for i := range want.shown { // the first ones
			if !strings.Contains(out, fmt.Sprintf("baton.yaml:%d:9: models.m.targets[%d].price: ", 4+i, i)) {
				t.Errorf("%d targets: number %d is not shown:\n%s", targets, i, out)
			}
		}
		if !strings.Contains(out, want.more) || strings.Contains(out, " more ") != (want.more != "") {
			t.Errorf("%d targets: want %q:\n%s", targets, want.more, out)
		}
		status, out, _ = baton(t, "check", "--json", path)
		if status != 0 || strings.Count(out, said) != targets {
			t.Errorf("%d targets, as JSON: exit %d:\n%s", targets, status, out)
		}
	}
}
