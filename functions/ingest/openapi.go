package ingest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"baton.dev/baton/events"
)

//go:embed openapi.json
var openAPI []byte

// openAPIDocument returns the description of this interface, complete in itself: with the version, and with the schemas of
// requests and results among its components.
func openAPIDocument(version string) []byte {
	doc := unpack(openAPI)
	if version != "" {
		info := unpack(doc["info"])
		info["version"] = encode(version)
		doc["info"] = encode(info)
	}
	components := unpack(doc["components"])
	schemas := unpack(components["schemas"])
	schemas["Request"] = component("Request", events.RequestSchema())
	schemas["Result"] = component("Result", events.ResultSchema())
	components["schemas"] = encode(schemas)
	doc["components"] = encode(components)
	var indented bytes.Buffer
	if err := json.Indent(&indented, encode(doc), "", "  "); err != nil { // what was just encoded
		panic(err)
	}
	return indented.Bytes()
}

// component returns a JSON Schema as the component of that name. It no longer is a resource of its own, and its references
// to itself lead through the whole document: not every reader of OpenAPI knows of an $id inside one.
func component(name string, schema []byte) json.RawMessage {
	s := unpack(schema)
	delete(s, "$schema")
	delete(s, "$id")
	return bytes.ReplaceAll(encode(s), []byte(`"$ref":"#/`), []byte(`"$ref":"#/components/schemas/`+name+`/`))
}

// unpack returns the members of a JSON object, each as it is written. The object is embedded, or has been read before: that
// it is none is a fault of this program.
func unpack(object []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		panic(fmt.Sprintf("ingest: unpack an object: %v", err))
	}
	return members
}
