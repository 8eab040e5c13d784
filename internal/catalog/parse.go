package catalog

import (
	"fmt"
	"path/filepath"

	"github.com/goccy/go-yaml/ast"
)

// Load reads and parses the file. A relative path of a secret's file is taken from the directory that path is in. An invalid
// file is a [*Faults]; any other error is that of reading it.
func Load(path string) (*Catalog, error) {
	src, err := readAtMost(path, maxSource)
	if err != nil {
		return nil, fmt.Errorf("catalog: read %s: %w", path, err)
	}
	return parseIn(filepath.Dir(path), path, src)
}

// Parse returns the catalog that src describes, with every default applied. The error is always a [*Faults], whose faults
// call the file by the given name. Relative paths stay as they are.
func Parse(name string, src []byte) (*Catalog, error) { return parseIn("", name, src) }

func parseIn(dir, name string, src []byte) (*Catalog, error) {
	r, root, faults := newReader(name, dir, src)
	if faults != nil {
		return nil, faults
	}
	c := withDefaults()
	r.catalog(r.at(root, ""), c)
	for _, check := range r.later {
		check()
	}
	if faults := r.verdict(); faults != nil {
		return nil, faults
	}
	sortFaults(r.warnings)
	c.references, c.warnings = r.references, r.warnings
	c.index()
	return c, nil
}

// newReader returns a reader of the text, and where the text begins.
func newReader(name, dir string, src []byte) (*reader, ast.Node, *Faults) {
	doc, fault := openDocument(src)
	if fault != nil {
		fault.File = name
		return nil, nil, &Faults{[]Fault{*fault}}
	}
	return &reader{file: name, dir: dir, doc: doc, left: maxValues}, doc.root, nil
}

// verdict returns what was wrong with all that was read, or nil.
func (r *reader) verdict() *Faults {
	if len(r.faults) == 0 {
		return nil
	}
	sortFaults(r.faults)
	return &Faults{r.faults}
}
