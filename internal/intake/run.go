package intake

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/internal/hop"
)

// Run opens the places that the configuration names, and keeps them those that it names, until ctx is done and what was
// begun is settled.
func (t *Taker) Run(ctx context.Context) {
	open := map[place]context.CancelFunc{}
	var all sync.WaitGroup
	for _, kind := range t.cfg.Kinds {
		if w, ok := kind.(Watcher); ok {
			all.Go(func() { t.look(ctx, kind, w) })
		}
	}
	tick := time.NewTicker(t.cfg.Follow)
	defer tick.Stop()
	for ctx.Err() == nil {
		t.follow(ctx, open, &all)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	for _, end := range open {
		end()
	}
	all.Wait()
}

// place is one that is open.
type place struct {
	kind int // in Config.Kinds
	Place
}

// follow opens what is new and ends what is gone.
func (t *Taker) follow(ctx context.Context, open map[place]context.CancelFunc, all *sync.WaitGroup) {
	cat := t.cfg.Catalog()
	wanted := map[place]bool{}
	for i, kind := range t.cfg.Kinds {
		for _, p := range kind.Places(cat) {
			wanted[place{i, p}] = true
		}
	}
	for at, end := range open {
		if !wanted[at] {
			end()
			delete(open, at)
		}
	}
	for at := range wanted {
		if _, ok := open[at]; ok {
			continue
		}
		ctx, end := context.WithCancel(ctx)
		open[at] = end
		all.Go(func() {
			defer end()
			t.keep(ctx, t.cfg.Kinds[at.kind], at.Place)
		})
	}
}

// reopen is the wait before a place is opened again that cannot be received from.
var reopen = hop.Backoff{Base: 250 * time.Millisecond, Max: 30 * time.Second}

// keep receives from the place until ctx is done.
func (t *Taker) keep(ctx context.Context, kind Kind, p Place) {
	log := t.cfg.Log.With("kind", kind.Name(), "tenant", p.Tenant)
	log.Info("requests are taken from here")
	defer log.Info("requests are no longer taken from here")
	for failures := 0; ctx.Err() == nil; failures++ {
		began := t.cfg.Now()
		if err := t.receive(ctx, kind, p); err != nil && ctx.Err() == nil {
			log.Warn("cannot receive; it is tried again", "error", err)
		}
		if t.cfg.Now().Sub(began) > reopen.Max {
			failures = 0
		}
		wait := time.NewTimer(reopen.Delay(failures, p.Tenant))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
	}
}

// receive opens the place and takes what comes there, until ctx is done or the source fails, and what was begun is settled.
func (t *Taker) receive(ctx context.Context, kind Kind, p Place) error {
	source, err := kind.Open(ctx, p)
	if err != nil {
		return err
	}
	defer source.Close()
	r := &receiver{taker: t, kind: kind.Name(), tenant: p.Tenant, places: make(chan struct{}, t.cfg.AtOnce)}
	defer r.end()
	return source.Run(ctx, func(d Delivery) { r.take(ctx, d) })
}

// receiver takes what comes from one source, so many at once.
type receiver struct {
	taker        *Taker
	kind, tenant string
	places       chan struct{}
	resume       atomic.Int64 // when the next is begun, in nanoseconds since 1970

	mu    sync.Mutex
	ended bool
	all   sync.WaitGroup // of what was begun
}

// breath is how long nothing is begun after a message was given back, at most: where one cannot be taken now the next hardly
// can, and each that is handed out and given back is work for the broker.
const breath = 2 * time.Second

// take begins to take a message when there is room, and it is not too soon after one that was given back. When ctx is done,
// it gives the message back; what was begun is finished.
func (r *receiver) take(ctx context.Context, d Delivery) {
	if !r.room(ctx) {
		r.taker.giveBack(ctx, d, Taken{})
		return
	}
	begun := r.begin(func() {
		defer func() { <-r.places }()
		taken := r.taker.Take(context.WithoutCancel(ctx), r.kind, r.tenant, d)
		if taken.Outcome == Returned {
			r.resume.Store(r.taker.cfg.Now().Add(min(taken.After, breath)).UnixNano())
		}
	})
	if !begun {
		<-r.places
		r.taker.giveBack(ctx, d, Taken{})
	}
}

// room waits for a place, or reports that ctx is done.
func (r *receiver) room(ctx context.Context) bool {
	for {
		pause := time.Unix(0, r.resume.Load()).Sub(r.taker.cfg.Now())
		if pause <= 0 {
			break
		}
		timer := time.NewTimer(min(pause, breath))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
	select {
	case r.places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin does the work beside, or reports that the receiver has ended.
func (r *receiver) begin(work func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	r.all.Go(work)
	return true
}

// end waits for what was begun. Nothing is begun after it.
func (r *receiver) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.all.Wait()
}
