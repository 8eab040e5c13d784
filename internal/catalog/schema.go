package catalog

import (
	_ "embed"
	"slices"
)

//go:embed baton.schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of the file, for editors. The loader checks what a schema cannot: references between
// parts of the file, names that must be unique.
func Schema() []byte { return slices.Clone(schema) }
