package natsbus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/events"
)

// Depths returns how many events of each lane are not settled: those that wait and those that are handed out, which is what
// a work-queue stream holds. Those that wait for a time are counted under a lane of their hop alone: their subject does not
// say which lane is theirs. Lanes without any are left out.
//
// It costs the server two questions a stream, whatever the number of lanes (to 100,000 of them).
func (b *Bus) Depths(ctx context.Context) (map[events.Lane]int, error) {
	depths := map[events.Lane]int{}
	for _, h := range []events.Hop{events.Schedule, events.Infer, events.Callback} {
		s, err := b.js.Stream(ctx, streamName(h))
		if err != nil {
			return nil, fmt.Errorf("natsbus: depths of %s: %w", streamName(h), err)
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjectPrefix+string(h)+".>"))
		if err != nil {
			return nil, fmt.Errorf("natsbus: depths of %s: %w", streamName(h), err)
		}
		later := info.State.Msgs
		for subject, n := range info.State.Subjects {
			lane, ok := laneOf(subject)
			if !ok {
				continue
			}
			depths[lane] += int(n)
			later -= min(n, later)
		}
		if later > 0 {
			depths[events.Lane{Hop: h}] = int(later)
		}
	}
	return depths, nil
}
