package kafkaintake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton.dev/baton/internal/intake"
)

// source is the topics of one tenant.
type source struct {
	client *kgo.Client
	take   func(intake.Delivery)

	mu         sync.Mutex
	partitions map[key]*partition
	draining   bool          // nothing is handed out any more
	done       chan struct{} // closed when it is
	waiting    sync.WaitGroup
}

type key struct {
	topic string
	id    int32
}

func newSource() *source {
	return &source{partitions: map[key]*partition{}, done: make(chan struct{})}
}

// Run implements [intake.Source].
func (s *source) Run(ctx context.Context, take func(intake.Delivery)) error {
	s.take = take
	defer s.drain()
	defer context.AfterFunc(ctx, s.drain)()
	for {
		fetches := s.client.PollRecords(ctx, polled)
		// A rebalance waits until what was polled is noted down: else a record could be noted for a partition that meanwhile
		// went to another member, or came back and begins with earlier records.
		var list []*record
		fetches.EachRecord(func(r *kgo.Record) { list = append(list, s.note(r)) })
		s.client.AllowRebalance()
		for _, r := range list {
			s.take(r.delivery())
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := failure(fetches); err != nil {
			return err
		}
	}
}

// failure returns what is wrong that the client does not mend by itself.
func failure(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("kafkaintake: receive from %s: %w", e.Topic, e.Err)
		}
	}
	return nil
}

// note writes down that the record was received.
func (s *source) note(r *kgo.Record) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := key{r.Topic, r.Partition}
	p := s.partitions[at]
	if p == nil {
		p = &partition{client: s.client, key: at}
		s.partitions[at] = p
	}
	return p.add(s, r)
}

// revoked gives partitions up that go to another member, and commits what is settled of them.
func (s *source) revoked(ctx context.Context, client *kgo.Client, which map[string][]int32) {
	s.lost(ctx, client, which)
	ctx, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	_ = client.CommitMarkedOffsets(ctx) // what is not committed is repeated, as the same requests
}

// lost gives partitions up. What is settled of them later is not committed: it is another's to commit.
func (s *source) lost(_ context.Context, client *kgo.Client, which map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, ids := range which {
		for _, id := range ids {
			if p := s.partitions[key{topic, id}]; p != nil {
				p.giveUp()
				delete(s.partitions, key{topic, id})
			}
		}
	}
	client.ResumeFetchPartitions(which) // a pause would hold when they come back
}

// drain ends the handing out.
func (s *source) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining {
		s.draining = true
		close(s.done)
	}
}

// again hands the delivery out after the delay, unless the source drains: then it is not settled, and so not committed.
func (s *source) again(r *record, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return
	}
	s.waiting.Go(func() {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.done:
			return
		}
		if r.partition.resume() {
			s.take(r.delivery())
		}
	})
}

// Close implements [intake.Source]. It commits what is settled and leaves the group, so that others go on at once.
func (s *source) Close() {
	s.drain()
	s.waiting.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = s.client.CommitMarkedOffsets(ctx)
	s.client.AllowRebalance()
	_ = s.client.LeaveGroupContext(ctx)
	s.client.Close()
}
