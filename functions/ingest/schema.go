package ingest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/problem"
)

// maxFaults bounds how many bad fields an answer names: 1024 bad messages need no 1024 sentences.
const maxFaults = 50

// compileSchema returns the schema of the unified request. It is embedded, so that a fault in it is a fault of the build.
func compileSchema() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(events.RequestSchema()))
	if err != nil {
		panic(fmt.Sprintf("ingest: read the request's schema: %v", err))
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(events.SchemaURI, doc); err != nil {
		panic(fmt.Sprintf("ingest: add the request's schema: %v", err))
	}
	return c.MustCompile(events.SchemaURI)
}

// validate returns what the schema finds wrong with the value, in no order.
func validate(schema *jsonschema.Schema, value any) []problem.FieldError {
	err := schema.Validate(value)
	if err == nil {
		return nil
	}
	broken, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []problem.FieldError{{Detail: "is not valid"}}
	}
	return describe(nil, broken)
}

// tidy puts faults into the order of their places, headers first, and keeps the first of each place.
func tidy(faults []problem.FieldError) []problem.FieldError {
	byPlace := func(a, b problem.FieldError) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Header, b.Header))
	}
	slices.SortStableFunc(faults, byPlace)
	return slices.CompactFunc(faults, func(a, b problem.FieldError) bool { return byPlace(a, b) == 0 })
}

// describe appends what the error and its causes say, as sentences about fields.
func describe(faults []problem.FieldError, err *jsonschema.ValidationError) []problem.FieldError {
	at := pointer(err.InstanceLocation)
	switch k := err.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range err.Causes {
			faults = describe(faults, cause)
		}
		return faults
	case *kind.Required:
		for _, name := range k.Missing {
			faults = append(faults, problem.FieldError{Pointer: at + "/" + escape(name), Detail: "is required"})
		}
		return faults
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			faults = append(faults, problem.FieldError{Pointer: at + "/" + escape(name), Detail: unknownMember(at)})
		}
		return faults
	case *kind.OneOf:
		return describeOneOf(faults, at, k, err.Causes)
	default:
		return append(faults, problem.FieldError{Pointer: at, Detail: sentence(at, k)})
	}
}

// describeOneOf says what is wrong with a value that fits none of several forms, or more than one. The schema has two
// kinds of it: prompt or messages, at the top; and values of several types, where the branch of the value's own type
// tells what is wrong in it.
func describeOneOf(
	faults []problem.FieldError, at string, k *kind.OneOf, branches []*jsonschema.ValidationError,
) []problem.FieldError {
	if at == "" {
		if len(k.Subschemas) > 1 {
			return append(faults, problem.FieldError{
				Pointer: "/messages", Detail: "must not be given together with prompt: give one of them",
			})
		}
		return append(faults, problem.FieldError{Pointer: "/prompt", Detail: "is required, unless messages is given"})
	}
	mismatch := kind.Type{}
	for _, b := range branches {
		if _, ok := b.ErrorKind.(*kind.Reference); ok && len(b.Causes) == 1 {
			b = b.Causes[0]
		}
		t, ok := b.ErrorKind.(*kind.Type)
		if !ok || len(b.InstanceLocation) != strings.Count(at, "/") {
			return describe(faults, b)
		}
		mismatch.Got, mismatch.Want = t.Got, append(mismatch.Want, t.Want...)
	}
	if len(mismatch.Want) == 0 {
		return append(faults, problem.FieldError{Pointer: at, Detail: "fits more than one form"})
	}
	return append(faults, problem.FieldError{Pointer: at, Detail: sentence(at, &mismatch)})
}

// pointer returns an RFC 6901 JSON Pointer.
func pointer(tokens []string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(escape(t))
	}
	return b.String()
}

func escape(token string) string { return pointerEscaper.Replace(token) }

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")
