package openaitest_test

import (
	"os"
	"testing"

	"baton.dev/baton/internal/openaitest"
)

func TestTheSimulatedServerAnswersOpenAIsClients(t *testing.T) {
	t.Parallel()
	t.Run("the one for Go", func(t *testing.T) {
		t.Parallel()
		got := openaitest.Go(t, bare(t), modelKey)
		if len(got) < 30 {
			t.Errorf("%d calls, want 30 at least", len(got))
		}
		if *update {
			if err := os.WriteFile(golden, encode(t, got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, got, expected(t))
	})
	t.Run("the one for JavaScript", func(t *testing.T) {
		t.Parallel()
		compare(t, openaitest.JavaScript(t, bare(t), modelKey, os.Getenv), expected(t))
	})
}
