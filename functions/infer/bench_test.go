package infer_test

import (
	"context"
	"log/slog"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model/simulated"
)

// BenchmarkInfer is one hop: an HTTP call to a simulated model without latency, over loopback in the same process, so the
// model server's own work and both ends of the sockets are in the figures. The attempt is the second: there is no claim.
func BenchmarkInfer(b *testing.B) {
	c := setup(b, simulated.New(catalog.Simulate{Tokens: 64, Seed: 1}))
	c.config.Log = slog.New(slog.DiscardHandler)
	f := c.function()
	in := scheduled(b, body, 2)
	b.Run("one at a time", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := f(context.Background(), in); err != nil || len(out) != 1 || out[0].ErrorCode != "" {
				b.Fatal(out, err)
			}
		}
	})
	b.Run("64 at a time", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if out, err := f(context.Background(), in); err != nil || len(out) != 1 || out[0].ErrorCode != "" {
					b.Error(out, err)
					return
				}
			}
		})
	})
}
