package openaitest_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/openaitest"
	"baton.dev/baton/local"
)

// allowed is where Baton answers otherwise than the server behind it.
var allowed = []openaitest.Difference{
	{
		Calls: regexp.MustCompile(`^errors: (a wrong key|a temperature|empty messages|a role|a limit)`), Path: "error.message",
		Why: "Baton says in its own words what its own schema and its own keys refuse, every bad field at once",
	},
	{
		Calls: regexp.MustCompile(`^(files|batches): .*(not there|of no file)`), Path: "error.message",
		Why: "as above",
	},
	{
		Calls: regexp.MustCompile(`^files: one that is not there`), Path: "error.param",
		Why: "OpenAI says id, which is no field of the request",
	},
	{
		Calls: regexp.MustCompile(`^files: one from`), Path: "value.created.expires_at",
		Why: "Baton keeps files for days, not for good",
	},
	{
		Calls: regexp.MustCompile(`^files: one from`), Path: "value.retrieved.expires_at",
		Why: "as above",
	},
}

// baton returns the base URL of a chain in front of the server, and a key, until the test ends.
func baton(t *testing.T, model string) (url, key string) {
	t.Helper()
	key, hash, err := catalog.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	// A call of slow ends after a second, and so does the chain that waits for it when the test is over.
	text := fmt.Sprintf(`
models:
  sim: {targets: [{name: sim, api: openai, url: %[1]s, key: "env:MODEL_KEY"}]}
  slow: {attempts: 1, targets: [{name: slow, api: openai, url: %[1]s, key: "env:MODEL_KEY", timeout: 1s, concurrency: 1}]}
tenants:
  t: {keys: [%[2]q], models: ["*"]}
`, model, hash)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := local.Start(t.Context(), local.Options{
		Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Data: dir, Config: config,
		Getenv: func(name string) string { return map[string]string{"MODEL_KEY": modelKey}[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	return l.URL + "/v1", key
}

func TestBatonAnswersOpenAIsClientsAsTheServerBehindItDoes(t *testing.T) {
	t.Parallel()
	for name, calls := range map[string]func(t *testing.T, url, key string) []openaitest.Transcript{
		"the one for Go": func(t *testing.T, url, key string) []openaitest.Transcript {
			return openaitest.Go(t, url, key)
		},
		"the one for JavaScript": func(t *testing.T, url, key string) []openaitest.Transcript {
			return openaitest.JavaScript(t, url, key, os.Getenv)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, key := baton(t, bare(t))
			compare(t, openaitest.Without(t, calls(t, url, key), allowed), openaitest.Without(t, expected(t), allowed))
		})
	}
}
