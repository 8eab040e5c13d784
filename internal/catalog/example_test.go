package catalog_test

import (
	"errors"
	"fmt"

	"baton.dev/baton/internal/catalog"
)

func ExampleParse() {
	_, err := catalog.Parse("baton.yaml", []byte(`
models:
  gpt-4:
    targets:
      - {name: main, api: openai, url: https://user:password@api.example.com/v1, tiemout: 60s}
tenants:
  search: {keys: [baton_0123456789], models: [gpt4]}
`))
	if faults, ok := errors.AsType[*catalog.Faults](err); ok {
		for f := range faults.All() {
			fmt.Println(f)
		}
	}
	// Output:
	// baton.yaml:5:40: models.gpt-4.targets[0].url: has a user or password in it: put the credential in key, as env:NAME or file:PATH
	// baton.yaml:5:82: models.gpt-4.targets[0].tiemout: unknown key: did you mean timeout?
	// baton.yaml:7:19: tenants.search.keys[0]: expected the hash of a key, sha256: and 64 hex digits, as baton keygen prints it: a key itself does not belong in this file
	// baton.yaml:7:47: tenants.search.models[0]: there is no such model: did you mean gpt-4?
}

func ExampleSecret_Resolve() {
	getenv := func(name string) string { return map[string]string{"OPENAI_API_KEY": "the key"}[name] }
	key, err := catalog.Secret("env:OPENAI_API_KEY").Resolve(getenv)
	fmt.Println(key, err)
	_, err = catalog.Secret("env:OTHER").Resolve(getenv)
	fmt.Println(err)
	// Output:
	// the key <nil>
	// catalog: resolve secret env:OTHER: the variable is not set or empty
}
