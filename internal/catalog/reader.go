package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader turns a document into a catalog and collects what is wrong on the way. A method that reads a value reports what is
// wrong with it and returns the zero value then: the catalog is thrown away in the end, and the reading goes on.
type reader struct {
	file, dir  string // the file's name, and where its relative paths begin; empty: they stay as they are
	doc        document
	left       int // values that may still be read
	compared   int // names, to find one that is near
	faults     []Fault
	warnings   []Fault
	priceless  []priceless
	later      []func() // checks that need all of the file to have been read
	references []reference
}

// value is a value of the file and where it stands.
type value struct {
	node         ast.Node // no anchor, alias or nil
	line, column int
	path         string
}

// entry is one key of a mapping and its value.
type entry struct {
	key string
	at  value // the key's own place, with the value's path
	value
}

// fields are the keys a mapping may have, and how the value of each is read.
type fields map[string]func(value)

// given are the values a mapping has, by key. It is nil if the mapping could not be read.
type given map[string]value

// or returns the value of the key or, if there is none, the place of the mapping v for it.
func (g given) or(key string, v value) value {
	if given, ok := g[key]; ok {
		return given
	}
	v.path = join(v.path, key)
	return v
}

func (r *reader) failf(v value, format string, args ...any) {
	switch n := len(r.faults); {
	case n == maxFaults:
		r.left = 0
		format, args = "over %d faults: what else there may be is not looked for", []any{maxFaults}
	case n > maxFaults:
		return
	}
	r.faults = append(r.faults, Fault{r.file, v.line, v.column, v.path, fmt.Sprintf(format, args...)})
}

// at returns the node as a value at the path. An alias stands where it is used.
func (r *reader) at(node ast.Node, path string) value {
	v := value{path: path}
	v.line, v.column = place(startOf(node))
	r.spend(v)
	for {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
			v.line, v.column = place(startOf(node))
			continue
		case *ast.AliasNode:
			if target, ok := r.doc.aliases[n]; ok {
				node = target
				continue
			}
		case nil:
			node = ast.Null(nil)
		}
		v.node = node
		return v
	}
}

// spend counts a value, and reports it if it is the one too many.
func (r *reader) spend(v value) {
	r.left--
	if r.left == 0 {
		r.failf(v, "with aliases expanded, the file has over %d values", maxValues)
	}
}

// spent reports whether the bound of values is reached.
func (r *reader) spent() bool { return r.left <= 0 }

// wrong reports that v is not what was wanted, by its kind alone: its text may be a secret.
func (r *reader) wrong(v value, want string) {
	switch v.node.(type) {
	case *ast.NullNode:
		r.failf(v, "is empty: expected %s", want)
	case *ast.AliasNode:
		r.failf(v, "refers to an anchor that is not defined before: put a value that begins with * in quotes")
	case *ast.TagNode:
		r.failf(v, "has a tag: write the plain value, tags are not supported")
	default:
		r.failf(v, "expected %s, got %s", want, kindOf(v.node))
	}
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode:
		return "a number"
	case *ast.FloatNode:
		return "a decimal number"
	case *ast.InfinityNode, *ast.NanNode:
		return "a number that is not finite"
	case *ast.BoolNode:
		return "true or false"
	default:
		return "something else"
	}
}

// entries returns the keys of a mapping in the order of the file, each once, and after them what its merge keys (<<) add.
// A key longer than longest is not shown in faults. It is not ok if the value is no mapping, or none of its keys can be read.
func (r *reader) entries(v value, want string, longest int) ([]entry, bool) {
	pairs, ok := pairsOf(v.node)
	if !ok {
		r.wrong(v, want)
		return nil, false
	}
	var (
		list   []entry
		merged []value
		lines  = map[string]int{}
	)
	for _, pair := range pairs {
		if r.spent() {
			break
		}
		if pair.Key != nil && pair.Key.IsMergeKey() {
			merged = append(merged, r.sources(r.at(pair.Value, v.path))...)
			continue
		}
		key, at, ok := r.key(v, pair.Key, longest)
		if !ok {
			continue
		}
		if first, twice := lines[key]; twice {
			r.failf(at, "is given twice, first in line %d: remove one", first)
			continue
		}
		lines[key] = at.line
		list = append(list, entry{key, at, r.at(pair.Value, at.path)})
	}
	for _, source := range merged {
		source.path = v.path
		more, _ := r.entries(source, "a mapping to merge", longest)
		for _, e := range more {
			r.spend(e.at)
			if r.spent() {
				break
			}
			if _, has := lines[e.key]; !has {
				lines[e.key] = e.at.line
				list = append(list, e)
			}
		}
	}
	return list, len(list) > 0 || len(pairs) == 0
}

// sources returns the mappings that a merge key names: one, or a list of them.
func (r *reader) sources(v value) []value {
	if _, ok := v.node.(*ast.SequenceNode); !ok {
		return []value{v}
	}
	return r.items(v, "a mapping to merge")
}

func pairsOf(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	default:
		return nil, false
	}
}

// key returns the text of a mapping's key.
func (r *reader) key(parent value, node ast.Node, longest int) (string, value, bool) {
	at := value{node: node, path: parent.path}
	at.line, at.column = place(startOf(node))
	switch node.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		key := node.GetToken().Value
		at.path = join(parent.path, key)
		if len(key) > longest {
			at.path = parent.path + hidden
		}
		return key, at, true
	default:
		r.failf(at, "has a key that is not plain text")
		return "", value{}, false
	}
}

// items returns the values of a list.
func (r *reader) items(v value, want string) []value {
	n, ok := v.node.(*ast.SequenceNode)
	if !ok {
		r.wrong(v, want)
		return nil
	}
	var list []value
	for i, item := range n.Values {
		if r.spent() {
			break
		}
		list = append(list, r.at(item, v.path+"["+strconv.Itoa(i)+"]"))
	}
	return list
}

// some returns the values of a list that must have one at least, and advises what to do about an empty one.
func (r *reader) some(v value, want, advice string) []value {
	list := r.items(v, want)
	if n, ok := v.node.(*ast.SequenceNode); ok && len(n.Values) == 0 {
		r.failf(v, "is an empty list: %s", advice)
	}
	return list
}

// object reads a mapping with known keys.
func (r *reader) object(v value, known fields) given {
	list, ok := r.entries(v, "a mapping", maxShownKey)
	if !ok {
		return nil
	}
	has := given{}
	for _, e := range list {
		read, ok := known[e.key]
		if !ok {
			r.unknown(e, known)
			continue
		}
		has[e.key] = e.value
		read(e.value)
	}
	return has
}

// maxShownKey is how long a key may be to be shown where keys are known: more than any known key, and less than a secret that
// was pasted into the wrong place.
const maxShownKey = 20

func (r *reader) unknown(e entry, known fields) {
	keys := slices.Sorted(maps.Keys(known))
	if _, auth := known["oauth2"]; auth && (e.key == "bearer" || e.key == "token") {
		r.failf(e.at, "unknown key: a bearer token goes into key of the target, as env:NAME or file:PATH, and needs no auth")
		return
	}
	if near, ok := nearest(e.key, keys); ok {
		r.failf(e.at, "unknown key: did you mean %s?", near)
		return
	}
	r.failf(e.at, "unknown key: the keys here are %s", strings.Join(keys, ", "))
}

// need reports a key that the mapping must have and has not.
func (r *reader) need(v value, has given, key, advice string) {
	if _, ok := has[key]; !ok && has != nil {
		r.failf(has.or(key, v), "is missing: %s", advice)
	}
}

func join(path, key string) string {
	s := segment(key)
	if path == "" || s[0] == '[' {
		return path + s
	}
	return path + "." + s
}

// hidden stands in a path for a key that may be a secret or hold one.
const hidden = `["…"]`

// segment returns a key as it stands in a path: in brackets and quotes where a dot or another character would mislead.
func segment(key string) string {
	plain := key != "" && !strings.ContainsFunc(key, func(c rune) bool {
		return c <= ' ' || c > '~' || strings.ContainsRune(`.[]"\:`, c)
	})
	switch {
	case strings.Contains(key, "://") || strings.Contains(key, "@"):
		return hidden
	case plain:
		return key
	default:
		return "[" + strconv.Quote(key) + "]"
	}
}
