package ingest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// sentence says what a field must be, as what follows the field's name. It never quotes the value that was given.
func sentence(at string, k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		if k.Got == "number" && len(k.Want) == 1 && k.Want[0] == "integer" {
			return "must be a whole number"
		}
		return fmt.Sprintf("must be %s, not %s", alternatives(articled(k.Want)), article(k.Got))
	case *kind.Enum:
		return "must be one of " + strings.Join(literals(k.Want), ", ")
	case *kind.Const:
		if at == "/parameters/stream" {
			return "is not a parameter here: set stream beside parameters"
		}
		return "must be " + literals([]any{k.Want})[0]
	case *kind.Format:
		return format(k.Want)
	case *kind.Minimum:
		return "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MinLength:
		if k.Want == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("must have at least %d characters, not %d", k.Want, k.Got)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters, not %d", k.Want, k.Got)
	case *kind.Pattern:
		return form(at, k.Want)
	case *kind.MinItems:
		if k.Want == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("must have at least %d elements, not %d", k.Want, k.Got)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements, not %d", k.Want, k.Got)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members, not %d", k.Want, k.Got)
	case *kind.FalseSchema:
		return notHere(at)
	default:
		return "is not valid by the schema at /schemas/inference-request.json"
	}
}

// form says what a text must look like.
func form(at, pattern string) string {
	if strings.HasSuffix(at, "/image_url/url") {
		return "must be an https or http URL, or the image itself as a data:image/ URL"
	}
	if strings.HasSuffix(at, "/file/file_id") {
		return "must be the id of a file, such as file-abc123"
	}
	return "must match the pattern " + pattern
}

// notHere says why a field that other interfaces have there must not be given.
func notHere(at string) string {
	switch at {
	case "/parameters/model":
		return "must not be given: model_id names the model"
	case "/parameters/messages":
		return "must not be given: messages stand beside parameters"
	default:
		return "must not be given"
	}
}

// unknownMember says why a member of the object at the pointer is not taken.
func unknownMember(at string) string {
	switch at {
	case "":
		return "is not a field of a request; what is passed on to the model goes into parameters"
	case "/metadata":
		return "must have a name of 1 to 64 characters"
	default:
		return "is not a field here"
	}
}

func format(name string) string {
	switch name {
	case "uuid":
		return "must be a UUID, such as 6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e"
	case "uri":
		return "must be an absolute URL"
	default:
		return "must have the format " + name
	}
}

// article returns a JSON type as one says it.
func article(typ string) string {
	switch typ {
	case "null":
		return "null"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "array", "object":
		return "an " + typ
	default:
		return "a " + typ
	}
}

func articled(types []string) []string {
	said := make([]string, len(types))
	for i, t := range types {
		said[i] = article(t)
	}
	return said
}

// alternatives joins what a value may be: a, b or c.
func alternatives(a []string) string {
	if len(a) < 2 {
		return strings.Join(a, "")
	}
	return strings.Join(a[:len(a)-1], ", ") + " or " + a[len(a)-1]
}

// literals returns values of the schema as JSON.
func literals(values []any) []string {
	said := make([]string, len(values))
	for i, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte("something else")
		}
		said[i] = string(b)
	}
	return said
}

// decimal returns a bound of the schema as one writes it.
func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprint(f)
}
