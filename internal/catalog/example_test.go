package catalog_test

import (
	"errors"
	"fmt"
	"strings"

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

func ExampleCatalog_CheckSecrets() {
	c, err := catalog.Parse("baton.yaml", []byte(`
models:
  gpt-4:
    targets:
      - {name: main, api: openai, url: https://api.example.com/v1, key: env:OPENAI_API_KEY}
tenants:
  search:
    keys: [sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]
    secrets: [env:SEARCH_WHSEC]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	environment := map[string]string{"SEARCH_WHSEC": "no webhook secret"}
	read := func(s catalog.Secret) (string, error) {
		return s.Resolve(func(name string) string { return environment[name] })
	}
	form := func(secret string) error {
		if !strings.HasPrefix(secret, "whsec_") {
			return errors.New("does not begin with whsec_")
		}
		return nil
	}
	fmt.Println(c.CheckSecrets(read, form))
	// Output:
	// baton.yaml:5:73: models.gpt-4.targets[0].key: does not resolve: env:OPENAI_API_KEY: the variable is not set or empty
	// baton.yaml:9:15: tenants.search.secrets[0]: env:SEARCH_WHSEC holds no secret that signs callbacks: does not begin with whsec_
}

func ExampleParseSimulate() {
	s, err := catalog.ParseSimulate("p50: 1s, error_rate: 5%")
	fmt.Println(s.P50, s.P99, s.ErrorRate, s.Tokens, s.Seed, err)
	_, err = catalog.ParseSimulate("p50: 1, tokns: 9")
	fmt.Println(err)
	// Output:
	// 1s 1s 0.05 64 1 <nil>
	// simulate:1:6: p50: has no unit: expected a duration such as 120ms, 60s or 1h30m
	// simulate:1:9: tokns: unknown key: did you mean tokens?
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
