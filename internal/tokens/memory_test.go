package tokens_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton.dev/baton/internal/tokens"
	"baton.dev/baton/internal/tokens/tokenstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryConformance(t *testing.T) {
	t.Parallel()
	tokenstest.Run(t, tokenstest.Harness{Open: func(*testing.T) tokenstest.Ends {
		m := tokens.NewMemory()
		return tokenstest.Ends{Sender: m, Follower: m, Arrived: func() {}}
	}})
}

func BenchmarkMemory(b *testing.B) {
	m := tokens.NewMemory()
	tokenstest.Benchmark(b, tokenstest.Ends{Sender: m, Follower: m})
}
