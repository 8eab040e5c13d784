package baton_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "baton.dev/baton"

// A listed is what go list says of a package.
type listed struct {
	ImportPath, Name, Dir, Doc         string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports                            []string // of its own files, tests not among them
	Deps                               []string // all that a program with the package in it is linked with
}

// list lists every package of the module.
var list = sync.OnceValues(func() ([]listed, error) {
	// go test keeps the outcome of a test until a file that the test itself opened has changed, and it does not see what the
	// go command below opens: without this, a breach would go unseen behind an outcome that was kept.
	if _, err := sources(); err != nil {
		return nil, err
	}
	out, err := output("go", "list", "-json=ImportPath,Name,Dir,Doc,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps", "./...")
	if err != nil {
		return nil, err
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("decode go list: %w", err)
		}
		all = append(all, p)
	}
})

// A wall is a rule about what a package may import. It returns the packages it must not.
type wall struct {
	says   string
	breach func(listed) []string
	broken listed // a package that breaks it, to see that the wall stands
}

var functions = []string{"ingest", "schedule", "infer", "callback"}

func walls() []wall {
	const (
		nats   = "github.com/nats-io/nats.go"
		server = "github.com/nats-io/nats-server"
		redis  = "github.com/redis/go-redis"
		mini   = "github.com/alicebob/miniredis"
		aws    = "github.com/aws"
	)
	return []wall{
		{
			says: "events imports nothing else of ours",
			breach: func(p listed) []string {
				if !within(p.ImportPath, ours("events")) {
					return nil
				}
				return under(without(p.Deps, ours("events")), module)
			},
			broken: listed{ImportPath: ours("events"), Deps: []string{ours("internal/hop")}},
		},
		{
			says: "the hop runtime imports events and seeded numbers, and nothing else of ours",
			breach: func(p listed) []string {
				if !within(p.ImportPath, ours("internal/hop")) {
					return nil
				}
				return under(without(p.Deps, ours("events"), ours("internal/hop"), ours("internal/seeded")), module)
			},
			broken: listed{ImportPath: ours("internal/hop"), Deps: []string{ours("internal/bus/membus")}},
		},
		{
			says: "a function knows no broker, no store and no cloud, not even through others",
			breach: func(p listed) []string {
				if !within(p.ImportPath, ours("functions")) {
					return nil
				}
				return under(p.Deps, ours("internal/bus"), nats, server, redis, mini, aws)
			},
			broken: listed{ImportPath: ours("functions/infer"), Deps: []string{nats + "/jetstream"}},
		},
		{
			says: "a function knows no other function",
			breach: func(p listed) []string {
				if !within(p.ImportPath, ours("functions")) {
					return nil
				}
				own := strings.Join(strings.Split(p.ImportPath, "/")[:4], "/")
				return under(without(p.Deps, own), ours("functions"))
			},
			broken: listed{ImportPath: ours("functions/infer"), Deps: []string{ours("functions/schedule")}},
		},
		{
			says: "a transport knows no function",
			breach: func(p listed) []string {
				if !within(p.ImportPath, ours("internal/bus")) {
					return nil
				}
				return under(p.Deps, ours("functions"), ours("local"), ours("cmd"))
			},
			broken: listed{ImportPath: ours("internal/bus/natsbus"), Deps: []string{ours("functions/infer")}},
		},
		{
			says: "only local, the baton command and tests embed servers",
			breach: func(p listed) []string {
				if within(p.ImportPath, ours("local"), ours("cmd/baton")) || forTests(p.ImportPath) {
					return nil
				}
				return under(p.Imports, server, mini, ours("local"))
			},
			broken: listed{ImportPath: ours("internal/results"), Imports: []string{server + "/v2/server"}},
		},
		{
			says: "what is for tests is imported by tests",
			breach: func(p listed) []string {
				if forTests(p.ImportPath) {
					return nil
				}
				return slices.DeleteFunc(under(p.Imports, module), func(i string) bool { return !forTests(i) })
			},
			broken: listed{ImportPath: ours("local"), Imports: []string{ours("internal/bus/bustest")}},
		},
		{
			says: "a function's own program has no server in it",
			breach: func(p listed) []string {
				if !slices.ContainsFunc(functions, func(f string) bool { return p.ImportPath == ours("cmd/"+f) }) {
					return nil
				}
				return under(p.Deps, server, mini, ours("local"))
			},
			broken: listed{ImportPath: ours("cmd/ingest"), Deps: []string{mini + "/v2"}},
		},
		{
			says: "nothing but a command imports from cmd",
			breach: func(p listed) []string {
				if within(p.ImportPath, ours("cmd")) {
					return nil
				}
				return under(p.Imports, ours("cmd"))
			},
			broken: listed{ImportPath: ours("local"), Imports: []string{ours("cmd/baton")}},
		},
	}
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range walls() {
		t.Run(w.says, func(t *testing.T) {
			t.Parallel()
			if len(w.breach(w.broken)) == 0 {
				t.Errorf("the rule does not refuse its own example, %+v", w.broken)
			}
			for _, p := range all {
				for _, bad := range w.breach(p) {
					t.Errorf("%s must not import %s", p.ImportPath, bad)
				}
			}
		})
	}
}

func TestEveryFunctionHasItsProgram(t *testing.T) {
	t.Parallel()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append([]string{"baton"}, functions...) {
		if !slices.ContainsFunc(all, func(p listed) bool { return p.ImportPath == ours("cmd/"+f) && p.Name == "main" }) {
			t.Errorf("cmd/%s is no program", f)
		}
	}
}

// vague matches names that say nothing of what is inside.
var vague = regexp.MustCompile(`^(utils?|common|helpers?|managers?|base|types|models|misc|pkg)$`)

func TestNamesSayWhatIsInside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"util", "utils", "helper", "models"} {
		if !vague.MatchString(name) {
			t.Errorf("the rule does not refuse %q", name)
		}
	}
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if vague.MatchString(p.Name) || vague.MatchString(filepath.Base(p.Dir)) {
			t.Errorf("package %s (%s) says nothing of what is inside", p.Name, p.ImportPath)
		}
		for _, f := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			if vague.MatchString(strings.TrimSuffix(strings.TrimSuffix(f, ".go"), "_test")) {
				t.Errorf("%s/%s says nothing of what is inside", p.ImportPath, f)
			}
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	t.Parallel()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no doc comment", p.ImportPath)
		}
	}
}

func TestArchitectureGivesAReasonForEveryDependency(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := output("go", "mod", "edit", "-json")
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mentions(text, "example.com/never/required") || mentions([]byte("see example.com/a-b"), "example.com/a") {
		t.Error("the rule is content with a module that is not mentioned")
	}
	direct := 0
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		direct++
		if !mentions(text, r.Path) {
			t.Errorf("ARCHITECTURE.md does not say why %s is there", r.Path)
		}
	}
	if direct == 0 {
		t.Error("go.mod has no direct dependency: is it tidy?")
	}
}

// mentions reports whether the text names the module, with its major version or without.
func mentions(text []byte, path string) bool {
	bare := regexp.MustCompile(`/v\d+$`).ReplaceAllString(path, "")
	return regexp.MustCompile(regexp.QuoteMeta(bare) + `(/v\d+)?([^\w/-]|$)`).Match(text)
}

func output(name string, args ...string) ([]byte, error) {
	out, err := exec.Command(name, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

func ours(path string) string { return module + "/" + path }

// forTests reports whether the package is there for the tests of others, which its name says by its end.
func forTests(path string) bool { return strings.HasSuffix(path, "test") }

// within reports whether the package is one of the roots or below one.
func within(path string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return path == r || strings.HasPrefix(path, r+"/") })
}

// under returns the packages within the roots.
func under(paths []string, roots ...string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !within(p, roots...) })
}

// without returns the packages that are not within the roots.
func without(paths []string, roots ...string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return within(p, roots...) })
}
