package schedule

import (
	"sync"

	"baton.dev/baton/internal/catalog"
)

// room is what one decision needs to write in. It is used again, so that a decision over many targets makes no garbage for
// each of them.
type room struct {
	weights []float64
	line    []*catalog.Model
}

// of returns n weights, of any value, good until the next call.
func (r *room) of(n int) []float64 {
	if cap(r.weights) < n {
		r.weights = make([]float64, n)
	}
	return r.weights[:n]
}

type rooms struct{ pool sync.Pool }

func (r *rooms) take() *room {
	if v, ok := r.pool.Get().(*room); ok {
		return v
	}
	return &room{}
}

func (r *rooms) put(v *room) {
	clear(v.line[:cap(v.line)]) // a model that the configuration dropped must not be kept
	r.pool.Put(v)
}
