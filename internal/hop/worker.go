package hop

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"baton.dev/baton/events"
)

// Lane is a lane that a worker serves, and its share when others have work too.
type Lane struct {
	events.Lane
	Weight int // 0 counts as 1; of its priority, so the first lane of a priority sets it, until [Worker.Weigh]
	// Passing lanes are served until nothing came in one wait of the transport: those of tenants that wait apart.
	Passing bool
}

// Config of a worker.
type Config struct {
	Hop         events.Hop
	Handler     Handler
	Bus         Bus
	Lanes       []Lane
	Concurrency int // events handled at once; default 64
	// Prefetch is how many deliveries of each lane may wait in this process for a free place; default Concurrency. They are
	// kept under lease, and given back when the worker drains.
	Prefetch int
	// Bytes is how much data is at work from which on nothing more begins; 0: there is no bound. One event always goes.
	Bytes  int64
	Limits Limits
	// Grace is how long a drain lets begun work go on before its context ends; default 25s, within the 30s that container
	// platforms wait before they kill.
	Grace time.Duration
	Log   *slog.Logger
	// Observe, if set, is called after each delivery is settled, from the goroutine that handled it.
	Observe func(Settled)
}

// Worker runs one handler over some lanes: it receives, handles, stores and settles. See the package documentation.
type Worker struct {
	cfg       Config
	intake    *intake
	leases    *leases
	processor *Processor
	more      chan Lane     // to serve beside those of the configuration
	sizes     chan size     // to go on with
	ended     chan struct{} // closed when no more are taken
}

// size is how much a worker takes at once.
type size struct{ concurrency, prefetch int }

// sized returns the size with its defaults.
func sized(concurrency, prefetch int) size {
	if concurrency <= 0 {
		concurrency = 64
	}
	if prefetch <= 0 {
		prefetch = concurrency
	}
	return size{concurrency, prefetch}
}

// NewWorker returns a worker, or an error that says what the configuration lacks.
func NewWorker(cfg Config) (*Worker, error) {
	switch {
	case cfg.Handler == nil || cfg.Bus == nil || cfg.Log == nil:
		return nil, fmt.Errorf("hop: worker %q: Handler, Bus and Log are required", cfg.Hop)
	case len(cfg.Lanes) == 0:
		return nil, fmt.Errorf("hop: worker %q: no lanes", cfg.Hop)
	}
	if cfg.Grace <= 0 {
		cfg.Grace = 25 * time.Second
	}
	processor, err := NewProcessor(ProcessorConfig{
		Hop: cfg.Hop, Handler: cfg.Handler, Publisher: cfg.Bus, Limits: cfg.Limits, Log: cfg.Log, Observe: cfg.Observe,
	})
	if err != nil {
		return nil, err
	}
	in := newIntake(sized(cfg.Concurrency, cfg.Prefetch).prefetch)
	in.most = cfg.Bytes
	return &Worker{
		cfg:       cfg,
		intake:    in,
		leases:    newLeases(cfg.Log),
		processor: processor,
		more:      make(chan Lane),
		sizes:     make(chan size),
		ended:     make(chan struct{}),
	}, nil
}

// Serve makes the worker serve the lane too, unless it does already, which costs next to nothing. It waits for the worker to
// run, and does nothing once that drains. Each worker serves with one Run.
func (w *Worker) Serve(lane Lane) {
	if w.intake.has(lane.Lane) {
		return
	}
	select {
	case w.more <- lane:
	case <-w.ended:
	}
}

// Weigh sets the weights of priorities, from the next choice on; those it does not name keep theirs. It may be called at any
// time, from any goroutine.
func (w *Worker) Weigh(weights map[events.Priority]int) { w.intake.weigh(weights) }

// Resize sets how many events are handled at once and how many deliveries of each lane may wait, as [Config] does. Nothing
// that is begun is ended: while more is at work than there are places, nothing more begins. Like Serve it waits for the
// worker to run, and does nothing once that drains.
func (w *Worker) Resize(concurrency, prefetch int) {
	select {
	case w.sizes <- sized(concurrency, prefetch):
	case <-w.ended:
	}
}

// Run works until ctx is done and then drains: it receives no more, gives back what has not begun, lets what has begun go
// on for the grace, then ends its context and gives it back. It returns when everything is settled.
func (w *Worker) Run(ctx context.Context) {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	var receivers, workers, keeper sync.WaitGroup
	keep, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	keeper.Go(func() { w.leases.run(keep) })
	serve := func(l Lane) {
		if lane := w.intake.open(l); lane != nil {
			receivers.Go(func() { w.receive(ctx, lane) })
		}
	}
	resize := func(s size) {
		for range w.intake.size(s.concurrency, s.prefetch) {
			workers.Go(func() { w.handle(work) })
		}
	}
	resize(sized(w.cfg.Concurrency, w.cfg.Prefetch))
	for _, l := range w.cfg.Lanes {
		serve(l)
	}
	for ctx.Err() == nil {
		select {
		case l := <-w.more:
			serve(l)
		case s := <-w.sizes:
			resize(s)
		case <-ctx.Done():
		}
	}
	close(w.ended)
	// What waits is given back now, and what a receiver still hands in when it returns, after that.
	w.drain(w.intake.close())
	grace := time.AfterFunc(w.cfg.Grace, stopWork)
	receivers.Wait()
	workers.Wait()
	grace.Stop()
	stopKeeping()
	keeper.Wait()
}

// handle takes deliveries to their outcomes, one after the other, until no more are to be begun.
func (w *Worker) handle(work context.Context) {
	for {
		h, ok := w.intake.next()
		if !ok {
			return
		}
		w.process(work, h)
		w.intake.done(h)
	}
}

// process takes one delivery to its outcome, under a lease that is kept until it is settled.
func (w *Worker) process(work context.Context, h *held) {
	handling, end := h.handling(work)
	settled := w.processor.process(handling, context.WithoutCancel(work), h.Delivery)
	end(nil)
	w.leases.release(h)
	w.processor.report(settled)
}

// receiveAgain is the wait after the transport could not be asked for work.
const receiveAgain = time.Second

// receive fills one lane's waiting room until ctx is done.
func (w *Worker) receive(ctx context.Context, lane *lane) {
	for {
		room := w.intake.room(lane)
		if room == 0 || ctx.Err() != nil {
			return
		}
		came := 0
		err := w.cfg.Bus.Receive(ctx, lane.Lane.Lane, room, func(d Delivery) {
			came++
			h := w.leases.hold(d)
			if !w.intake.add(lane, h) {
				w.drain([]*held{h})
			}
		})
		if err == nil && came == 0 && lane.Passing && w.intake.leave(lane) {
			return
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		w.cfg.Log.Warn("lane cannot be read", "hop", w.cfg.Hop, "lane", lane.Lane.Lane.String(), "error", err)
		timer := time.NewTimer(receiveAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// drain gives back deliveries that were not begun.
func (w *Worker) drain(waiting []*held) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	atOnce(waiting, func(h *held) {
		w.leases.release(h)
		if h.isLost() {
			return // not this worker's to give any more
		}
		if err := h.Return(ctx, 0); err != nil {
			w.cfg.Log.Warn("delivery not given back; its lease runs out", "hop", w.cfg.Hop, "id", h.Event.ID, "error", err)
		}
	})
}
