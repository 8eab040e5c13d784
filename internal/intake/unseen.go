package intake

import (
	"context"
	"maps"
	"slices"
	"time"

	"baton.dev/baton/internal/catalog"
)

// Watcher is a [Kind] whose broker takes messages of tenants that take none from it, and confirms them: nobody would know.
type Watcher interface {
	// Unseen returns how many messages wait that no place of the configuration hands out, by the names of the tenants they are
	// for. There need be no such tenant.
	Unseen(ctx context.Context, c *catalog.Catalog) (map[string]uint64, error)
}

const (
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
	// namedAtMost is how many tenants one look names: what stands there for one is its sender's to choose.
	namedAtMost = 20
)

// look says every so often what waits unseen, until ctx is done.
func (t *Taker) look(ctx context.Context, kind Kind, w Watcher) {
	tick := time.NewTicker(t.cfg.Look)
	defer tick.Stop()
	for {
		t.unseen(ctx, kind, w)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (t *Taker) unseen(ctx context.Context, kind Kind, w Watcher) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := w.Unseen(ctx, t.cfg.Catalog())
	if err != nil {
		t.cfg.Log.Debug("cannot look for messages that nobody takes", "kind", kind.Name(), "error", err)
		return
	}
	names := slices.Sorted(maps.Keys(found))
	log := t.cfg.Log.With("kind", kind.Name())
	for _, name := range names[:min(len(names), namedAtMost)] {
		log.Warn("messages wait for a tenant that has no intake", "tenant", plain(name), "count", found[name])
	}
	if more := len(names) - namedAtMost; more > 0 {
		log.Warn("messages wait for more tenants that have no intake", "tenants", more)
	}
}
