package openaitest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
	"baton.dev/baton/internal/openaitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden transcripts")

const (
	golden   = "testdata/transcripts.json"
	modelKey = "sk-model"
)

// bare returns the base URL of a simulated server with the models of the list, until the test ends.
func bare(t *testing.T) string {
	t.Helper()
	s := simulated.New(catalog.Simulate{P50: 20 * time.Millisecond, Tokens: 8, Seed: 1}, "sim")
	s.Offer("slow", catalog.Simulate{P50: 20 * time.Second, Tokens: 8, Seed: 1})
	s.RequireKey(modelKey)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server.URL + "/v1"
}

// entry is a transcript in the golden file.
type entry struct {
	Name    string          `json:"name"`
	Outcome json.RawMessage `json:"outcome"`
}

func encode(t *testing.T, all []openaitest.Transcript) []byte {
	t.Helper()
	entries := make([]entry, len(all))
	for i, tr := range all {
		entries[i] = entry(tr)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// expected returns the golden transcripts.
func expected(t *testing.T) []openaitest.Transcript {
	t.Helper()
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	all := make([]openaitest.Transcript, len(entries))
	for i, e := range entries {
		var b bytes.Buffer
		if err := json.Indent(&b, e.Outcome, "", "  "); err != nil {
			t.Fatal(err)
		}
		all[i] = openaitest.Transcript{Name: e.Name, Outcome: b.Bytes()}
	}
	return all
}

// compare reports where transcripts are not the expected ones.
func compare(t *testing.T, got, want []openaitest.Transcript) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d calls, want %d", len(got), len(want))
	}
	for i := range got {
		t.Run(got[i].Name, func(t *testing.T) {
			if got[i].Name != want[i].Name || !bytes.Equal(got[i].Outcome, want[i].Outcome) {
				t.Errorf("came to\n%s\nwant (%s)\n%s", got[i].Outcome, want[i].Name, want[i].Outcome)
			}
		})
	}
}
