package redisstate

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"baton.dev/baton/internal/tokens"
)

// ears are the subscriptions of a process's followers, all over one connection, which is there while any follower is.
type ears struct {
	client redis.UniversalClient

	// asking keeps the commands of one channel in the order in which its ears came and went. It is taken before mu, and held
	// while the server is written to.
	asking sync.Mutex
	sub    *redis.PubSub // nil while there is no follower
	away   time.Time     // when the server could not be written to the last time

	mu sync.Mutex // held for a moment alone
	of map[string]map[*ear]struct{}
}

// ear is one follower of a channel.
type ear struct {
	inbox *tokens.Inbox
	heard chan struct{} // closed when the server has confirmed
	once  sync.Once
}

// waiting is how many messages wait for [ears.listen], which is never slow.
const waiting = 256

// confirmed returns when the server has taken the subscription.
func (e *ear) confirmed(ctx context.Context) error {
	timer := time.NewTimer(confirmWait)
	defer timer.Stop()
	select {
	case <-e.heard:
		return nil
	case <-timer.C:
		return errUnheard
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awayFor is how long nobody tries a server that could not be written to: those who wait their turn are not to wait for a dial
// each.
const awayFor = time.Second

// open subscribes to the channel. The ear is the caller's to close, unless there is an error.
func (s *ears) open(ctx context.Context, channel string) (*ear, error) {
	e := &ear{inbox: tokens.NewInbox(), heard: make(chan struct{})}
	s.asking.Lock()
	defer s.asking.Unlock()
	if time.Since(s.away) < awayFor {
		return nil, ErrAway
	}
	s.mu.Lock()
	if s.of[channel] == nil {
		s.of[channel] = map[*ear]struct{}{}
	}
	s.of[channel][e] = struct{}{}
	s.mu.Unlock()
	if s.sub == nil {
		s.sub = s.client.Subscribe(context.WithoutCancel(ctx))
		go s.listen(s.sub.ChannelWithSubscriptions(redis.WithChannelSize(waiting)))
	}
	// Asked for again, a channel is confirmed again, which is cheaper than to know whether it has been.
	if err := s.sub.Subscribe(ctx, channel); err != nil {
		s.away = time.Now()
		s.remove(channel, e)
		return nil, err
	}
	return e, nil
}

// close ends the ear's subscription, and the connection with the last.
func (s *ears) close(channel string, e *ear) {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.remove(channel, e)
}

func (s *ears) remove(channel string, e *ear) {
	s.mu.Lock()
	delete(s.of[channel], e)
	last := len(s.of[channel]) == 0
	if last {
		delete(s.of, channel)
	}
	none := len(s.of) == 0
	s.mu.Unlock()
	switch {
	case none:
		_ = s.sub.Close()
		s.sub = nil
	case last:
		ctx, cancel := context.WithTimeout(context.Background(), confirmWait)
		defer cancel()
		away := time.Since(s.away) < awayFor
		if away {
			cancel() // the channel is only not subscribed to again
		}
		if err := s.sub.Unsubscribe(ctx, channel); err != nil && !away {
			s.away = time.Now()
		}
	}
}

// listen hands on what comes until the connection is closed for good.
func (s *ears) listen(all <-chan any) {
	for what := range all {
		switch what := what.(type) {
		case *redis.Subscription:
			if what.Kind == "subscribe" {
				s.each(what.Channel, func(e *ear) { e.once.Do(func() { close(e.heard) }) })
			}
		case *redis.Message:
			data := []byte(what.Payload)
			s.each(what.Channel, func(e *ear) { e.inbox.Put(data) })
		}
	}
}

func (s *ears) each(channel string, do func(*ear)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.of[channel] {
		do(e)
	}
}
