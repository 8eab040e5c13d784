package health

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

const (
	// recordTTL is how long a record is kept that nobody writes: longer than the longest that a breaker stays open, and so
	// long that a canary that was rolled back is not tried again after a holiday for which nothing ran that knows of it. A
	// process that knows, and lives when the record is gone, writes it again.
	recordTTL = 30 * 24 * time.Hour
	// swapTries is how often a Sync tries to write a record that others write too.
	swapTries = 5
)

// share is one target's part in a sync.
type share struct {
	target  string
	batch   []observation
	doubt   doubt
	release bool // the probe is over
	renew   bool // it is not

	base    record // what is known without the batch
	kept    []byte // what the store has
	read    bool   // it was read, and base is what it says
	garbage error  // why it could not be
	next    record // base after the batch
	value   []byte // next, encoded
	changes []change
	done    bool // the store has all of the batch
}

// Sync shares what is not shared yet, and learns what the others saw of all targets of the configuration. Its error is that
// of the store: the process then goes on with what it sees itself, and what it has to share waits, up to a few thousand
// attempts a target. Sync logs when the store goes away and when it is back.
func (b *Board) Sync(ctx context.Context) error {
	b.syncing.Lock()
	defer b.syncing.Unlock()
	b.chart()
	shares := b.begin()
	var err error
	if b.c.Store != nil {
		err = b.exchange(ctx, shares)
	}
	b.end(ctx, shares, err)
	if err == nil && b.c.Store != nil {
		err = b.keep(ctx, shares)
	}
	return err
}

// begin takes what is to be shared.
func (b *Board) begin() []*share {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.synced = now
	shares := make([]*share, 0, len(b.targets))
	for name, e := range b.targets {
		e.flight, e.queue = e.queue, nil
		shares = append(shares, &share{
			target: name, batch: e.flight, doubt: e.doubt, base: e.base, release: e.slot.spent, renew: e.slot.due(now),
		})
	}
	slices.SortFunc(shares, func(a, b *share) int { return cmp.Compare(a.target, b.target) })
	return shares
}

// exchange reads every record, and writes those that there is something to add to.
func (b *Board) exchange(ctx context.Context, shares []*share) error {
	names := make([]string, len(shares))
	for i, s := range shares {
		names[i] = s.target
	}
	kept, err := b.c.Store.Read(ctx, names, b.now())
	if err != nil {
		return fmt.Errorf("health: read records: %w", err)
	}
	for i, s := range shares {
		if s.doubt.record != nil && bytes.Equal(s.doubt.record, kept[i]) {
			s.batch = s.batch[s.doubt.n:] // the swap was made
		}
		s.doubt = doubt{}
		s.take(kept[i], b.now())
	}
	for range swapTries {
		var changes []Change
		var pending []*share
		for _, s := range shares {
			if s.done {
				continue
			}
			if err := s.learn(b.c.Jitter, b.mark()); err != nil {
				return err
			}
			pending = append(pending, s)
			changes = append(changes, Change{Target: s.target, Old: s.kept, New: s.value})
		}
		if len(changes) == 0 {
			return nil
		}
		stand, err := b.c.Store.Swap(ctx, changes, b.now(), recordTTL)
		if err != nil {
			for _, s := range pending {
				s.doubt = doubt{s.value, len(s.batch)}
			}
			return fmt.Errorf("health: write records: %w", err)
		}
		for i, s := range pending {
			if s.done = bytes.Equal(stand[i], s.value); s.done {
				s.base = s.next
			} else {
				s.take(stand[i], b.now())
			}
		}
	}
	return nil // what others were faster with goes with the next sync
}

// take takes what the store has. Where it has nothing, or nothing that can be read, what this process knows is put there:
// the store has lost it.
func (s *share) take(kept []byte, now time.Time) {
	s.read, s.kept, s.garbage, s.changes = true, kept, nil, nil
	lost := len(kept) == 0
	if !lost {
		r, err := decode(kept, now)
		if s.garbage = err; err == nil {
			s.base = r
		} else {
			lost = true
		}
	}
	s.done = len(s.batch) == 0 && (!lost || !s.base.known())
}

// learn makes the next record of the base and the batch, with the writer's mark.
func (s *share) learn(jitter func(string, int) float64, mark string) (err error) {
	s.next, s.changes = s.base.learn(s.batch, jitter)
	s.next.Written = mark
	s.value, err = s.next.encode()
	return err
}

// mark returns what sets apart a record that this process writes. b.syncing is held.
func (b *Board) mark() string {
	b.writes++
	return b.holder + "-" + strconv.Itoa(b.writes)
}

// end puts what came of a sync into the entries, and logs what changed by it.
func (b *Board) end(ctx context.Context, shares []*share, err error) {
	now := b.now()
	var notes []note
	b.mu.Lock()
	was := b.away
	if ctx.Err() == nil { // otherwise the error may be ours
		b.away = err != nil
	}
	for _, s := range shares {
		e := b.entry(s.target)
		if b.c.Store != nil {
			e.settle(s, b.c.Jitter)
		}
		if s.done {
			notes = append(notes, untold(s.target, s.changes, s.batch)...)
		}
		if b.away && !was {
			// What this process saw change, and was to log when it is shared.
			_, changes := e.base.learn(e.queue, b.c.Jitter)
			notes = append(notes, untold(s.target, changes, e.queue)...)
			for _, c := range changes {
				e.queue[c.by].told = true
			}
		}
		if b.away && e.slot.spent {
			e.slot = slot{}
		}
		b.show(e, now)
	}
	away := b.away
	b.mu.Unlock()
	b.log(notes)
	for _, s := range shares {
		if s.done && s.garbage != nil {
			b.c.Log.LogAttrs(ctx, slog.LevelWarn, "health record was replaced",
				slog.String("target", s.target), slog.Any("err", s.garbage))
		}
	}
	switch {
	case away && !was:
		b.c.Log.LogAttrs(ctx, slog.LevelWarn, "health store is away: going on with what this process sees", slog.Any("err", err))
	case was && !away:
		b.c.Log.LogAttrs(ctx, slog.LevelInfo, "health store is back")
	}
}
