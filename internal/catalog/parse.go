package catalog

import "fmt"

// Load reads and parses the file. An invalid file is a [*Faults]; any other error is that of reading it.
func Load(path string) (*Catalog, error) {
	src, err := readAtMost(path, maxSource)
	if err != nil {
		return nil, fmt.Errorf("catalog: read %s: %w", path, err)
	}
	return Parse(path, src)
}

// Parse returns the catalog that src describes, with every default applied. The error is always a [*Faults], whose faults
// call the file by the given name.
func Parse(name string, src []byte) (*Catalog, error) {
	doc, fault := openDocument(src)
	if fault != nil {
		fault.File = name
		return nil, &Faults{[]Fault{*fault}}
	}
	r := &reader{file: name, doc: doc, left: maxValues}
	c := withDefaults()
	r.catalog(r.at(doc.root, ""), c)
	for _, check := range r.later {
		check()
	}
	if len(r.faults) > 0 {
		sortFaults(r.faults)
		return nil, &Faults{r.faults}
	}
	c.index()
	return c, nil
}
