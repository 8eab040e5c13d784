package tokenstest

import (
	"context"
	"testing"

	"baton.dev/baton/internal/tokens"
)

// Benchmark measures the relay: what a piece takes from its sender to its follower, and what a follower costs for one piece from
// its coming to its end.
func Benchmark(b *testing.B, e Ends) {
	b.Helper()
	b.Run("piece", func(b *testing.B) {
		id, came := newID(), make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(context.Background())
		ready, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- e.Follower.Follow(ctx, id, tokens.ID{}, func() { close(ready) }, func(tokens.Piece) { came <- struct{}{} })
		}()
		<-ready
		p := piece(at(0))
		for b.Loop() {
			e.Sender.Send(id, p)
			<-came
			p.ID.N++
		}
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	b.Run("follower", func(b *testing.B) {
		p := piece(at(0))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id := newID()
				ctx, cancel := context.WithCancel(context.Background())
				err := e.Follower.Follow(ctx, id, tokens.ID{}, func() { e.Sender.Send(id, p) }, func(tokens.Piece) { cancel() })
				cancel()
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}
