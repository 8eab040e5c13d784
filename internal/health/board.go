package health

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"time"

	"baton.dev/baton/internal/seeded"
)

const (
	// probeTTL is how long a process that is gone keeps a target from being probed; one that lives renews its slot.
	probeTTL = 10 * time.Second
	// longestProbe is when a probe of which nothing was reported is given up.
	longestProbe = 15 * time.Minute
	// probeWait is how long a process does not ask again for a slot that another had.
	probeWait = 100 * time.Millisecond
	// syncWait is how long after the last sync began the next is waited for: a few times what Run takes between two.
	syncWait = 2 * time.Second
)

// Config is what a board needs. The zero value is a board that is alone and says nothing.
type Config struct {
	// Store shares what is known with other processes; nil: nothing is shared.
	Store Store
	// Targets returns the names of all targets as the configuration is now; nil: those that outcomes were reported of.
	Targets func() []string
	// Canary returns, for a target that is a canary, something that changes whenever its configuration does (it is hashed, not
	// shown) and the names of its model's other targets, which it is compared with; none: the target is no canary. It is
	// asked for the targets of Targets; nil: there are no canaries.
	Canary func(target string) (fingerprint string, stable []string)
	// Observe is told of each move that a breaker makes in the sight of this process, wherever it was made; nil: nobody is.
	// It must return at once and not call the board.
	Observe func(target string, from, to State)
	Now     func() time.Time                   // nil: time.Now
	Jitter  func(target string, n int) float64 // in [0, 1), by its arguments alone; nil: [seeded.Unit]
	Log     *slog.Logger                       // nil: nothing is logged
}

// Board is what one process knows of the targets. It is safe for concurrent use.
//
// Outcomes count at once in this process, and in the others with the next [Board.Sync]. Where the shared record says
// otherwise than this process thought, the record is right, and what this process has not shared yet is counted on top.
//
// A process keeps its board in step by [Board.Run], or, if it is frozen between two pieces of work, by a [Board.Sync] before
// and after each. One that does neither goes on with what it sees itself.
type Board struct {
	c      Config
	holder string        // of probe slots: this process
	wake   chan struct{} // there is something that others should know soon

	syncing sync.Mutex // one Sync at a time; taken before mu
	writes  int        // of records

	mu      sync.Mutex
	targets map[string]*entry
	beside  map[string][]string // the canaries that a target is compared with
	away    bool                // the store is
	synced  time.Time           // when the last sync began
}

// New returns a board. It calls Targets and Canary, and nothing of the store.
func New(c Config) *Board {
	if c.Canary == nil {
		c.Canary = func(string) (string, []string) { return "", nil }
	}
	if c.Observe == nil {
		c.Observe = func(string, State, State) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = seeded.Unit
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	b := &Board{c: c, holder: rand.Text(), wake: make(chan struct{}, 1), targets: map[string]*entry{}}
	b.chart()
	return b
}

// Status returns what is known of the target. It answers from memory.
func (b *Board) Status(target string) Status {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.targets[target]
	if !ok {
		return Status{}
	}
	return e.view.status(now, e.fingerprint)
}

// Report counts how an attempt ended: at once here, for the others with the next [Board.Sync]. It does not block on the
// store. Every attempt that was admitted is to be reported, a probe in any case, or no other is let through for long.
func (b *Board) Report(o Outcome) {
	now := b.now()
	if o.At.IsZero() {
		o.At = now
	}
	o.At = o.At.UTC().Round(0) // as it is read back
	b.mu.Lock()
	e := b.entry(o.Target)
	notes := b.observe(e, observation{Outcome: o, fingerprint: e.fingerprint}, now)
	urgent := len(notes) > 0 || o.Probe || e.fingerprint != "" && verdictOf(o.Code) == ill
	if verdictOf(o.Code) != silent {
		for _, canary := range b.beside[o.Target] {
			c := b.entry(canary)
			stable := observation{Outcome: Outcome{Target: canary, At: o.At}, fingerprint: c.fingerprint}
			stable.stable.of(o)
			more := b.observe(c, stable, now)
			notes, urgent = append(notes, more...), urgent || len(more) > 0
		}
	}
	if o.Probe && e.slot.held {
		if e.slot.spent = true; b.alone() {
			e.slot = slot{}
		}
	}
	alone := b.alone()
	b.mu.Unlock()
	if alone {
		b.log(notes)
	} else if urgent {
		b.hurry()
	}
}

// observe lets the target's entry learn, and returns what changed in the sight of this process. b.mu is held.
func (b *Board) observe(e *entry, o observation, now time.Time) []note {
	next, changes := e.view.learn([]observation{o}, b.c.Jitter)
	e.view = next
	for _, c := range changes {
		if c.out != nil {
			o.out = c.reason
		}
	}
	o.told = len(changes) > 0 && b.alone()
	if b.c.Store == nil {
		e.base = e.view
	} else {
		e.push(o, b.c.Jitter)
	}
	b.show(e, now)
	return notesOf(e.target, changes)
}

// alone reports whether this process has nobody to share with. b.mu is held.
func (b *Board) alone() bool { return b.c.Store == nil || b.away }

// hurry asks Run for a sync soon.
func (b *Board) hurry() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// show tells Observe of a move. b.mu is held.
func (b *Board) show(e *entry, now time.Time) {
	if s := e.view.Breaker.state(now); s != e.shown {
		b.c.Observe(e.target, e.shown, s)
		e.shown = s
	}
}

// entry returns the target's entry, which may be new. b.mu is held.
func (b *Board) entry(target string) *entry {
	e, ok := b.targets[target]
	if !ok {
		e = &entry{target: target, shown: Closed}
		b.targets[target] = e
	}
	return e
}

// chart reads the configuration: which targets there are, and which are canaries. It forgets targets that are gone.
func (b *Board) chart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c.Targets != nil {
		names := b.c.Targets()
		for _, name := range names {
			b.entry(name)
		}
		for name, e := range b.targets {
			if len(e.queue) == 0 && !e.slot.held && !slices.Contains(names, name) {
				delete(b.targets, name)
			}
		}
	}
	b.beside = map[string][]string{}
	for name, e := range b.targets {
		e.fingerprint = ""
		if fingerprint, stable := b.c.Canary(name); len(stable) > 0 {
			sum := sha256.Sum256([]byte(fingerprint)) // a configuration may have what nobody else should see
			e.fingerprint = hex.EncodeToString(sum[:8])
			for _, other := range stable {
				b.beside[other] = append(b.beside[other], name)
			}
		}
	}
}

func (b *Board) now() time.Time { return b.c.Now().UTC().Round(0) }

// Run keeps the board in step with the others until ctx is done, then shares what is left and gives its probe slots back. It
// returns when that is done, within two seconds.
func (b *Board) Run(ctx context.Context) {
	const (
		every = 250 * time.Millisecond
		soon  = 25 * time.Millisecond // so that a burst of failures is one sync
		last  = 2 * time.Second
	)
	for timer := time.NewTimer(0); ctx.Err() == nil; timer.Reset(every) {
		select {
		case <-ctx.Done():
			timer.Stop()
			continue
		case <-timer.C:
		case <-b.wake:
			timer.Reset(soon)
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		_ = b.Sync(ctx) // it logs what is to be said
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), last)
	defer cancel()
	_ = b.Sync(ctx)
	b.resign(ctx)
}
