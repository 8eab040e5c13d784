// Package answers keeps what models answered, so that an equal request is answered without another call, and lets one of
// many equal requests at once make the call for all.
//
// One that leads and comes to no answer for all must not keep the others back, who would make their calls one after the
// other. Where the model did answer and the answer is not one to share, as it is cut short, the next one's is hardly better:
// equal requests then go apart for a minute, see [Answers.Apart]. Where it failed, a few lead at once, see [Answers.Abandon].
//
// It has two levels: the memory of this process, and a [Store] that processes share. The store is an accelerator. While it
// is away a process answers from its own memory, and every message that finds nothing there leads: two calls are better
// than none.
//
// What makes two requests equal is [Key]; what may be kept at all is [Cachable].
package answers

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"baton.dev/baton/events"
)

const (
	defaultBytes = 64 << 20
	// maxValue bounds one stored answer, in bytes: no result is larger than what the bus carries.
	maxValue = 1 << 20
	// entryBytes is about what an entry takes in memory besides its text.
	entryBytes = 512
	// widened is how long equal requests need not wait for a single one after a leader has come to no answer for all. Each
	// that follows and comes to none extends it.
	widened = time.Minute
	// handful is how many lead at once then, after a failure: all of them would fall on a target that is in trouble, and one
	// by one they would not be through before their deadlines.
	handful = 8
)

// Config of the answers. The zero value is a process that answers alone.
type Config struct {
	// Store is what this process shares with others; nil: nothing is shared, and every message leads. A [Memory] is only
	// right where the functions that look and the one that stores are one process: elsewhere nobody would see a flight land.
	Store Store
	Bytes int64            // of this process's own level, about; 0: 64 MiB
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // told when the store goes away and when it is back; nil: nothing is logged
}

// Answers are the answers that a process knows of. It is safe for concurrent use. A key of "" stands for a request that is
// not to be answered from here: nothing is found or stored under it, and whoever asks leads.
type Answers struct {
	store Store
	now   func() time.Time
	log   *slog.Logger
	near  *otter.Cache[string, stored]
	away  atomic.Bool // the store failed the last time it was asked
}

// New returns answers, of which the process's own level is empty.
func New(c Config) *Answers {
	if c.Bytes <= 0 {
		c.Bytes = defaultBytes
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Answers{
		store: c.Store, now: c.Now, log: c.Log,
		// Without an expiry of otter's own, which would go by its clock and a goroutine for each cache: Get looks at the time.
		near: otter.Must(&otter.Options[string, stored]{
			MaximumWeight: uint64(c.Bytes),
			Weigher: func(key string, s stored) uint32 {
				return uint32(len(key) + s.Answer.size())
			},
		}),
	}
}

// Alone reports whether answers are of this process alone: it has no store, or that is away.
func (a *Answers) Alone() bool { return a.store == nil || a.away.Load() }

// Get returns the answer under the key, if there is one whose time is not over. A store that is away has none.
func (a *Answers) Get(ctx context.Context, key string) (Answer, bool) {
	if key == "" {
		return Answer{}, false
	}
	if s, ok := a.near.GetIfPresent(key); ok {
		if a.now().Before(s.Until) {
			return s.Answer, true
		}
		a.near.Invalidate(key)
	}
	if a.store == nil {
		return Answer{}, false
	}
	text, err := a.store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		a.heard(ctx, nil)
		return Answer{}, false
	}
	a.heard(ctx, err)
	if err != nil {
		return Answer{}, false
	}
	s, err := decode(text)
	if err != nil || !a.now().Before(s.Until) {
		return Answer{}, false
	}
	a.near.Set(key, s)
	return s.Answer, true
}

// Put stores the answer for ttl. One that is larger than 1 MiB, or whose message is not JSON, is not stored. While the
// store is away only this process has it.
func (a *Answers) Put(ctx context.Context, key string, answer Answer, ttl time.Duration) {
	a.put(ctx, key, answer, ttl)
}

// Keep ends the message's lead with the result it came to: one that may answer equal requests is stored for ttl, as Put
// does, and otherwise, or if it cannot be, they go apart.
func (a *Answers) Keep(ctx context.Context, key, messageID string, r events.Result, ttl time.Duration) {
	if Cachable(r) && a.put(ctx, key, Of(r), ttl) {
		a.Land(ctx, key, messageID)
		return
	}
	a.Apart(ctx, key, messageID)
}

// put reports whether the answer is stored where all find it.
func (a *Answers) put(ctx context.Context, key string, answer Answer, ttl time.Duration) bool {
	if key == "" || ttl <= 0 {
		return false
	}
	now := a.now()
	if answer.StoredAt.IsZero() {
		answer.StoredAt = now.UTC()
	}
	s := stored{Until: now.Add(ttl).UTC(), Answer: answer}
	text, err := s.encode()
	if err != nil || len(text) > maxValue {
		return false
	}
	a.near.Set(key, s)
	if a.store == nil {
		return true
	}
	err = a.store.Put(ctx, key, text, now, ttl)
	a.heard(ctx, err)
	return err == nil
}

// Lead reports whether the message is one to be answered for all that are equal to it, for ttl or until it lands. The leader
// asks again to lead on. One that does not lead is to wait and look again: there is an answer, or soon may be.
func (a *Answers) Lead(ctx context.Context, key, messageID string, ttl time.Duration) (mine bool) {
	if key == "" || ttl <= 0 || a.store == nil {
		return true
	}
	leader, err := a.store.Lead(ctx, key, messageID, a.now(), ttl)
	a.heard(ctx, err)
	switch {
	case err != nil:
		return true
	case leader == "":
		// One that Get does not take, as it is damaged or over by this process's clock, is no reason to wait.
		_, ok := a.Get(ctx, key)
		return !ok
	default:
		return leader == messageID
	}
}

// Land ends the message's lead: its answer is stored, or it was canceled, which says nothing of the next. It is no error if
// another leads.
func (a *Answers) Land(ctx context.Context, key, messageID string) {
	if key != "" && a.store != nil {
		a.heard(ctx, a.store.Land(ctx, key, messageID))
	}
}

// Apart ends the message's lead with an answer that others may not have. For a minute everyone leads.
func (a *Answers) Apart(ctx context.Context, key, messageID string) {
	a.widen(ctx, key, messageID, Everyone)
}

// Abandon ends the message's lead without an answer for all: it failed, or is answered by what it did not ask for. For a
// minute eight lead at once. The word of one that does not lead changes nothing.
func (a *Answers) Abandon(ctx context.Context, key, messageID string) {
	a.widen(ctx, key, messageID, handful)
}

func (a *Answers) widen(ctx context.Context, key, messageID string, width int) {
	if key != "" && a.store != nil {
		a.heard(ctx, a.store.Widen(ctx, key, messageID, width, a.now(), widened))
	}
}

// heard takes note of how the store answered, and logs a change. A caller that gave up says nothing about the store.
func (a *Answers) heard(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !a.away.Swap(true):
		a.log.LogAttrs(ctx, slog.LevelWarn, "the store of answers is away: equal requests are answered apart", slog.Any("err", err))
	case err == nil && a.away.Load() && a.away.Swap(false):
		a.log.LogAttrs(ctx, slog.LevelInfo, "the store of answers is back")
	}
}
