package simulation

import (
	"context"
	"strings"
	"time"

	"baton.dev/baton/internal/results"
)

// cells is where results are kept, as a process sees it: each step is an effect.
type cells struct {
	world *World
	by    *process
}

func (c cells) await(ctx context.Context, kind Kind, key string, do func() error) error {
	return c.world.await(ctx, &effect{by: c.by, kind: kind, subject: key, do: do})
}

// Create implements [results.Cells].
func (c cells) Create(ctx context.Context, key string, value []byte, expires time.Time) (existing []byte, err error) {
	err = c.await(ctx, Write, key, func() error {
		existing, err = c.world.facts.Create(ctx, key, value, expires)
		if existing != nil {
			c.world.notef("stands already")
		}
		if id, ok := strings.CutSuffix(key, ".accepted"); ok && existing == nil && err == nil {
			c.world.accepted(id, visitOf(ctx))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return existing, nil
}

// Get implements [results.Cells].
func (c cells) Get(ctx context.Context, key string) (value []byte, err error) {
	err = c.await(ctx, Read, key, func() error {
		value, err = c.world.facts.Get(ctx, key)
		return err
	})
	return value, err
}

// Watch implements [results.Cells].
func (c cells) Watch(ctx context.Context, key string) (<-chan struct{}, func(), error) {
	return c.world.facts.Watch(ctx, key)
}

// observer returns the facts as they are, without effects.
func (w *World) observer() *results.Store { return results.New(w.facts) }
