package baton_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A source is one Go file of the module.
type source struct {
	path string // from the root, with slashes
	text []byte
	set  *token.FileSet
	file *ast.File
	vars map[string]bool // the package variables of its package, whichever file declares them
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) at(p token.Pos) string { return fmt.Sprintf("%s:%d", s.path, s.set.Position(p).Line) }

// sources reads every Go file of the module.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	vars := map[string]map[string]bool{} // by directory and package
	err := walk(func(path string) error {
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s, err := parse(path, text)
		if err != nil {
			return err
		}
		pkg := filepath.Dir(path) + " " + s.file.Name.Name
		if vars[pkg] == nil {
			vars[pkg] = map[string]bool{}
		}
		for name := range s.vars {
			vars[pkg][name] = true
		}
		s.vars = vars[pkg] // shared: it is whole when every file was read
		all = append(all, s)
		return nil
	})
	return all, err
})

// walk visits every file of the working tree, save what tools keep there and what tests read.
func walk(visit func(path string) error) error {
	return filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return visit(filepath.ToSlash(path))
		case path != "." && path != ".ci" && strings.HasPrefix(path, "."), d.Name() == "testdata", path == "bin":
			return filepath.SkipDir
		}
		return nil
	})
}

func parse(path string, text []byte) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	s := source{path: path, text: text, set: set, file: file, vars: map[string]bool{}}
	for spec := range packageVars(file) {
		for _, name := range spec.Names {
			if name.Name != "_" { // which says that a type keeps an interface, and holds nothing
				s.vars[name.Name] = true
			}
		}
	}
	return s, nil
}

// packageVars ranges over the declarations of package variables.
func packageVars(file *ast.File) func(yield func(*ast.ValueSpec) bool) {
	return func(yield func(*ast.ValueSpec) bool) {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && !yield(v) {
					return
				}
			}
		}
	}
}

// A rule is about one source file. It returns each place that breaks it.
type rule struct {
	says   string
	breach func(source) []string
	broken [2]string // the path and text of a file that breaks it, to see that the rule can refuse
}

func rules() []rule {
	return []rule{
		{
			says: "a file says one thing, in 400 lines at most",
			breach: func(s source) []string {
				if lines := bytes.Count(s.text, []byte("\n")); lines > 400 && !s.test() {
					return []string{fmt.Sprintf("%s: %d lines", s.path, lines)}
				}
				return nil
			},
			broken: [2]string{"a/long.go", "package a\n" + strings.Repeat("\n", 400)},
		},
		{
			says: "only a command reads the environment",
			breach: func(s source) []string {
				if s.test() || strings.HasPrefix(s.path, "cmd/") {
					return nil
				}
				return s.uses("os", "Getenv", "LookupEnv", "Environ", "ExpandEnv")
			},
			broken: [2]string{"a/a.go", "package a\nimport \"os\"\nvar find = os.LookupEnv\n"},
		},
		{
			says: "a test waits for what it waits for, and does not sleep",
			breach: func(s source) []string {
				if !s.test() || s.imports("testing/synctest") { // there it is of virtual time
					return nil
				}
				return s.uses("time", "Sleep")
			},
			broken: [2]string{"a/a_test.go", "package a\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }\n"},
		},
		{
			says:   "nothing happens by being imported",
			breach: inits,
			broken: [2]string{"a/a.go", "package a\nfunc init() {}\n"},
		},
		{
			says:   "package variables are tables, not state",
			breach: states,
			broken: [2]string{"a/a.go", "package a\nvar seen = map[int]bool{}\nfunc f() { seen[1] = true }\n"},
		},
		{
			says:   "nothing is left for later",
			breach: leftovers,
			broken: [2]string{"a/a.go", "package a\n// TO" + "DO: think\n"},
		},
	}
}

func TestSourcesKeepTheRules(t *testing.T) {
	t.Parallel()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.says, func(t *testing.T) {
			t.Parallel()
			broken, err := parse(r.broken[0], []byte(r.broken[1]))
			if err != nil {
				t.Fatal(err)
			}
			if len(r.breach(broken)) == 0 {
				t.Errorf("the rule does not refuse its own example:\n%s", r.broken[1])
			}
			for _, s := range all {
				if ast.IsGenerated(s.file) {
					continue // as its generator writes it
				}
				for _, place := range r.breach(s) {
					t.Error(place)
				}
			}
		})
	}
}

// imports reports whether the file imports the package.
func (s source) imports(path string) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}

// uses returns the places where the file uses one of the names of an imported package, whatever it calls the package.
func (s source) uses(path string, names ...string) []string {
	as := ""
	for _, imp := range s.file.Imports {
		if p, err := strconv.Unquote(imp.Path.Value); err == nil && p == path {
			as = filepath.Base(path)
			if imp.Name != nil {
				as = imp.Name.Name
			}
		}
	}
	var places []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(names, sel.Sel.Name) {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == as {
			places = append(places, fmt.Sprintf("%s: %s.%s", s.at(n.Pos()), path, sel.Sel.Name))
		}
		return true
	})
	return places
}

func inits(s source) (places []string) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			places = append(places, s.at(f.Pos())+": func init")
		}
	}
	return places
}

var later = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func leftovers(s source) (places []string) {
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if later.MatchString(c.Text) {
				places = append(places, s.at(c.Pos())+": "+c.Text)
			}
		}
	}
	return places
}

// states returns the places where a package variable is written to, or is of a kind that is there to be.
func states(s source) (places []string) {
	if s.test() {
		return nil
	}
	report := func(n ast.Node, what string) { places = append(places, s.at(n.Pos())+": "+what) }
	top := map[any]bool{}
	for spec := range packageVars(s.file) {
		top[spec] = true
		ast.Inspect(spec, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && stateful(sel) {
				report(spec, "package variable of a type that holds state")
			}
			_, function := n.(*ast.FuncLit)
			return !function
		})
	}
	// A name means the package variable where no inner declaration took it; the parser resolves names within a file.
	written := func(e ast.Expr) {
		if id := root(e); id != nil && s.vars[id.Name] && (id.Obj == nil || top[id.Obj.Decl]) {
			report(e, "package variable "+id.Name+" is written to")
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					written(e)
				}
			}
		case *ast.IncDecStmt:
			written(n.X)
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
				written(n.Args[0])
			}
		}
		return true
	})
	return places
}

func TestStateIsToldFromTables(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"var n int; func f() { n++ }":                                         true,
		"var n int; func f() { n := 0; n++; _ = n }":                          false,
		"var p struct{ n int }; func f() { p.n = 1 }":                         true,
		"var m = map[int]int{}; func f() { delete(m, 1) }":                    true,
		"var m = map[int]int{1: 2}; func f() int { return m[1] }":             false,
		"import \"sync\"; var mu sync.Mutex":                                  true,
		"import \"sync\"; var once = sync.OnceValue(func() int { return 1 })": false,
		"import \"sync/atomic\"; var n atomic.Int64":                          true,
		"import \"errors\"; var ErrX = errors.New(\"x\")":                     false,
	} {
		s, err := parse("a/a.go", []byte("package a; "+text))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(states(s)) > 0; got != want {
			t.Errorf("%s: state is %t, want %t", text, got, want)
		}
	}
}

// stateful reports whether the name is a lock, a counter or the like: what a package variable of the type is for is change.
// A sync.Pool is memory, not state.
func stateful(sel *ast.SelectorExpr) bool {
	x, ok := sel.X.(*ast.Ident)
	switch {
	case !ok:
		return false
	case x.Name == "atomic":
		return true
	default:
		return x.Name == "sync" && slices.Contains([]string{"Mutex", "RWMutex", "Map", "Once", "WaitGroup", "Cond"}, sel.Sel.Name)
	}
}

// root returns the variable that an assignment to e changes, or nil.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.ParenExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// machine matches a path that only one machine has.
var machine = regexp.MustCompile(`(^|[^\w./-])/(work|root|farm|home/\w+|Users/\w+)/`)

func TestNoFileNamesAPathOfOneMachine(t *testing.T) {
	t.Parallel()
	if !machine.MatchString(`open("/ro` + `ot/x")`) {
		t.Error("the rule does not refuse its own example")
	}
	prose := []string{"", ".go", ".md", ".mod", ".yml", ".yaml", ".json", ".tf", ".hcl", ".sh", ".html"}
	err := walk(func(path string) error {
		if !slices.Contains(prose, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if machine.Match(line) {
				t.Errorf("%s:%d: %s", path, i+1, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
