package simulated

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// instance returns JSON that satisfies a simple reading of the JSON Schema: types, enum, const, properties, items, anyOf,
// oneOf, allOf, references within the schema, and bounds of numbers, texts and arrays. Patterns are not looked at.
func instance(d *draw, schema json.RawMessage) string {
	var root any
	if json.Unmarshal(schema, &root) != nil {
		root = true
	}
	m := maker{draw: d, root: root, left: mostValues}
	return string(encode(m.value(root, 0)))
}

// deepest is the depth below which nothing optional is made, so that a schema that refers to itself comes to an end. Twice as
// deep, nothing is made at all.
const deepest = 6

// mostValues bounds an instance, as a schema of a few words can ask for more than there is memory.
const mostValues = 4096

type maker struct {
	draw *draw
	root any
	left int // values that may still be made
}

func (m *maker) value(schema any, depth int) any {
	s, ok := schema.(map[string]any)
	m.left--
	if !ok || depth > 2*deepest || m.left < 0 {
		return nil
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if all, ok := s["enum"].([]any); ok && len(all) > 0 {
		return all[m.draw.index(len(all))]
	}
	if ref, ok := s["$ref"].(string); ok {
		return m.value(m.resolve(ref), depth+1)
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		if all, ok := s[name].([]any); ok && len(all) > 0 {
			return m.value(all[m.shallowest(all, depth)], depth+1)
		}
	}
	if all, ok := s["allOf"].([]any); ok {
		return m.all(s, all, depth)
	}
	switch typeOf(s, depth) {
	case "object":
		return m.object(s, depth)
	case "array":
		return m.array(s, depth)
	case "integer":
		return json.Number(strconv.FormatFloat(m.number(s), 'f', 0, 64))
	case "number":
		return m.number(s) + fraction(s)
	case "boolean":
		return m.draw.index(2) == 1
	case "null":
		return nil
	default:
		return m.text(s)
	}
}

// typeOf returns the type to make: of several the first, and null deep down.
func typeOf(s map[string]any, depth int) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		if depth > deepest && slices.Contains(t, any("null")) {
			return "null"
		}
		if len(t) > 0 {
			name, _ := t[0].(string)
			return name
		}
	}
	switch {
	case s["properties"] != nil:
		return "object"
	case s["items"] != nil:
		return "array"
	}
	return "string"
}

// shallowest returns which alternative to take: the first, and deep down one that is null, if any is.
func (m *maker) shallowest(all []any, depth int) int {
	if depth > deepest {
		for i, a := range all {
			if s, ok := a.(map[string]any); ok && s["type"] == "null" {
				return i
			}
		}
	}
	return 0
}

// all merges the objects that an allOf is of.
func (m *maker) all(s map[string]any, all []any, depth int) any {
	merged := map[string]any{}
	own := maps.Clone(s)
	delete(own, "allOf")
	for _, each := range append([]any{own}, all...) {
		object, ok := m.value(each, depth+1).(map[string]any)
		if !ok {
			continue
		}
		maps.Copy(merged, object)
	}
	if len(merged) == 0 && len(all) > 0 {
		return m.value(all[0], depth+1)
	}
	return merged
}

func (m *maker) object(s map[string]any, depth int) any {
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	made := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if depth <= deepest || slices.Contains(required, any(name)) {
			made[name] = m.value(properties[name], depth+1)
		}
	}
	return made
}

func (m *maker) array(s map[string]any, depth int) any {
	fewest := count(s, "minItems", 0)
	n := max(1, fewest)
	if depth > deepest {
		n = fewest
	}
	made := make([]any, min(n, count(s, "maxItems", n)))
	for i := range made {
		made[i] = m.value(s["items"], depth+1)
	}
	return made
}

// largest bounds numbers: up to it, a float holds every whole one.
const largest = 1 << 53

// number returns a whole number within the bounds, if there is one.
func (m *maker) number(s map[string]any) float64 {
	low, high := 1.0, 100.0
	if v, ok := s["exclusiveMinimum"].(float64); ok {
		low = math.Floor(v) + 1
	}
	if v, ok := s["minimum"].(float64); ok {
		low = math.Ceil(v)
	}
	high = max(high, low+high)
	if v, ok := s["exclusiveMaximum"].(float64); ok {
		high = math.Ceil(v) - 1
	}
	if v, ok := s["maximum"].(float64); ok {
		high = math.Floor(v)
	}
	if low > high && s["minimum"] == nil && s["exclusiveMinimum"] == nil {
		low = high - 100
	}
	low, high = min(max(low, -largest), largest), min(max(high, -largest), largest)
	step := 1.0
	if v, ok := s["multipleOf"].(float64); ok && v >= 1 && v < largest {
		step = v
		low = math.Ceil(low/step) * step
	}
	steps := min(max(math.Floor((high-low)/step), 0), 1000)
	return low + step*float64(m.draw.index(int(steps)+1))
}

// fraction is a half where a number need not be whole: where nothing bounds it from above.
func fraction(s map[string]any) float64 {
	for _, name := range []string{"maximum", "exclusiveMaximum", "multipleOf"} {
		if _, ok := s[name]; ok {
			return 0
		}
	}
	return 0.5
}

func (m *maker) text(s map[string]any) string {
	switch s["format"] {
	case "date":
		return time.Unix(int64(m.draw.index(1<<30)), 0).UTC().Format(time.DateOnly)
	case "date-time":
		return time.Unix(int64(m.draw.index(1<<30)), 0).UTC().Format(time.RFC3339)
	case "time":
		return "12:00:00Z"
	case "email":
		return m.word() + "@example.com"
	case "uri":
		return "https://example.com/" + m.word()
	case "uuid":
		return "00000000-0000-4000-8000-" + strings.Repeat(string(rune('0'+m.draw.index(10))), 12)
	}
	text := m.word() + " " + m.word()
	for n := count(s, "minLength", 0); len(text) < n; {
		text += " " + m.word()
	}
	return text[:min(len(text), count(s, "maxLength", len(text)))]
}

func (m *maker) word() string { return vocabulary[m.draw.index(len(vocabulary))] }

// resolve follows a reference within the schema, such as #/$defs/step.
func (m *maker) resolve(ref string) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := m.root
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" {
			continue
		}
		object, _ := at.(map[string]any)
		at = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)]
	}
	return at
}

// count returns a number of the schema as one of things to make, or what stands for none.
func count(s map[string]any, name string, none int) int {
	if v, ok := s[name].(float64); ok {
		return int(min(max(v, 0), mostValues))
	}
	return none
}
