package health

import "testing"

// BenchmarkReport is one outcome of a stable target beside a canary, as counted in this process.
func BenchmarkReport(b *testing.B) {
	board := New(Config{
		Targets: func() []string { return []string{"stable", "canary"} },
		Canary: func(target string) (string, []string) {
			if target == "canary" {
				return "f", []string{"stable"}
			}
			return "", nil
		},
	})
	b.ReportAllocs()
	for b.Loop() {
		board.Report(Outcome{Target: "stable"})
		_ = board.Status("stable")
	}
}
