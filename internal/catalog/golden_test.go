package catalog

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the goldens of testdata/bad expect")

// golden is a file of testdata/bad: a configuration, what the loader says of it, and what the schema does.
type golden struct {
	path, source, faults, schema string
}

const (
	sourceMark = "-- baton.yaml --\n"
	faultsMark = "-- faults --\n"
	schemaMark = "-- schema --\n"
)

func goldens(tb testing.TB) []golden {
	tb.Helper()
	paths, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil || len(paths) < 40 {
		tb.Fatalf("testdata/bad has %d goldens: %v", len(paths), err)
	}
	var all []golden
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		g := golden{path: path}
		rest := strings.TrimPrefix(string(b), sourceMark)
		g.source, rest, _ = strings.Cut(rest, faultsMark)
		g.faults, g.schema, _ = strings.Cut(rest, schemaMark)
		all = append(all, g)
	}
	return all
}

func valid(tb testing.TB) []string {
	tb.Helper()
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("testdata/good has %d files: %v", len(paths), err)
	}
	return append(paths, "testdata/full.yaml")
}

func TestEveryFaultIsReportedWithItsPlaceAndWhatToDo(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, g := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(g.path), ".txt"), func(t *testing.T) {
			t.Parallel()
			c, err := Parse("baton.yaml", []byte(g.source))
			faults, ok := errors.AsType[*Faults](err)
			if c != nil || !ok || faults.Len() == 0 {
				t.Fatalf("Parse = %v, %v: want faults", c, err)
			}
			got := golden{faults: faults.Error() + "\n", schema: schema.verdict(g.source) + "\n"}
			if *update {
				text := sourceMark + g.source + faultsMark + got.faults + schemaMark + got.schema
				if err := os.WriteFile(g.path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.faults != g.faults {
				t.Errorf("faults:\n%swant:\n%s", got.faults, g.faults)
			}
			if got.schema != g.schema {
				t.Errorf("the schema %swant: %s", got.schema, g.schema)
			}
		})
	}
}

func TestValidFilesLoad(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, path := range valid(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			if _, err := Load(path); err != nil {
				t.Fatal(err)
			}
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := schema.verdict(string(src)); got != accepts {
				t.Errorf("the loader accepts the file, the schema %s", got)
			}
		})
	}
}
