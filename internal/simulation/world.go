package simulation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/results"
)

// World is one simulated world. It lives in a bubble of testing/synctest, and but for the queue only [World.run] touches it,
// or a part that run has just let go on while everything else stands still.
type World struct {
	seed     uint64
	chance   chance
	plan     Plan
	scenario *scenario
	doors    []*door
	began    time.Time
	ctx      context.Context //nolint:containedctx // it is of all that lives in the world
	end      context.CancelFunc

	queue     *queue
	bus       *membus.Bus
	facts     *results.Memory
	common    *common
	processes []*process // nil where one is down
	files     []int      // the configuration in the file of each process
	lives     int

	doubled int                            // how many of the following there were
	doubles map[events.Lane][]hop.Delivery // deliveries that arrive once more
	dues    map[events.Lane]*due
	lanes   []events.Lane   // that ever had an event
	live    map[string]int  // stored events that are not settled, by message
	copies  map[string]bool // stored copies of events
	known   map[events.Lane]bool
	lent    map[string]int // the number of the last delivery of each stored copy
	handed  map[string]int // how often each event was handed to a process
	pools   map[pool][]*held

	callers   []*caller
	names     []string // of the requests, and of what is done with them besides
	asking    sync.WaitGroup
	living    sync.WaitGroup     // what runs in processes
	busy      atomic.Int64       // callers that have something to do
	requests  map[string]*caller // by message
	calls     []*call
	landed    map[string]bool   // messages that led, and ceased to
	widened   map[string]bool   // questions that more than one may ask at once
	passed    map[string]int    // requests that got by the rate of each tenant
	blinds    map[string]bool   // of what a step of what is shared failed
	blindOf   map[string]bool   // processes that stood still
	mu        sync.Mutex        // for what the parts tell by themselves
	succeeded []*call           // executions that were told that their lease is another's
	begun     map[string]bool   // what a process has begun to handle
	suspected *Violation        // by a part of the world, to be taken up at the next step
	bodies    map[string][]byte // what receivers got, by webhook id
	delivered map[string]string // the webhook id that a message was delivered under

	history   History
	current   Fault // at the effect that is taken
	noted     string
	faults    []string // ids of what went wrong
	violation *Violation
}

// maxSteps and maxTime are far over what a world takes that comes to rest.
const (
	maxSteps = 60_000
	maxTime  = 2 * time.Hour
)

func newWorld(seed uint64, plan Plan, doors []*door) *World {
	w := &World{
		seed: seed, chance: chance(seed), plan: plan, scenario: draw(seed), doors: doors, began: time.Now(),
		queue: newQueue(chance(seed)), facts: results.NewMemory(), common: newCommon(),
		landed: map[string]bool{}, widened: map[string]bool{}, passed: map[string]int{},
		blinds: map[string]bool{}, blindOf: map[string]bool{}, begun: map[string]bool{}, dues: map[events.Lane]*due{},
		// The world hands out only what is there, so nothing is waited for.
		bus:     membus.New(membus.Options{Lease: lent, Wait: -1}),
		doubles: map[events.Lane][]hop.Delivery{}, live: map[string]int{}, copies: map[string]bool{},
		known: map[events.Lane]bool{}, lent: map[string]int{}, handed: map[string]int{}, pools: map[pool][]*held{},
		requests: map[string]*caller{}, bodies: map[string][]byte{}, delivered: map[string]string{},
	}
	w.ctx, w.end = context.WithCancel(context.Background())
	return w
}

// run lets the world live until it is at rest or something is wrong, and returns when all that lived in it has ended.
func (w *World) run() {
	w.processes, w.files = make([]*process, w.scenario.processes), make([]int, w.scenario.processes)
	for i := range w.processes {
		w.start(i)
	}
	w.populate()
	for w.violation == nil {
		synctest.Wait()
		w.takeUp()
		w.endsWithItsLease()
		if w.violation != nil {
			break
		}
		now := time.Now()
		if now.Sub(w.began) > maxTime || len(w.history) > maxSteps {
			w.violatef(comesToRest, "", "after %v and %d steps it has not", now.Sub(w.began), len(w.history))
			break
		}
		e, expired, wake := w.queue.next(now)
		switch {
		case expired:
			w.queue.remove(e)
			e.done <- nil
		case e != nil:
			w.take(e, now)
			// Every step takes some time: no two are at the same moment, nor are the timers that they start.
			time.Sleep(w.chance.between(e.id, 2, 20*time.Microsecond, time.Millisecond))
		case w.rests():
			w.atEnd()
			w.close()
			return
		default:
			w.wait(wake)
		}
	}
	w.close()
}

// wait waits until a time, or until an effect comes.
func (w *World) wait(wake time.Time) {
	if wake.IsZero() {
		wake = time.Now().Add(time.Second)
	}
	timer := time.NewTimer(time.Until(wake))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.queue.came:
	}
}

// take takes an effect: it decides what goes wrong, has it take place, and writes it down.
func (w *World) take(e *effect, now time.Time) {
	f := w.fault(e)
	if f == Late {
		e.delayed = true
		e.due = now.Add(w.chance.between(e.id, 3, 10*time.Millisecond, 3*time.Second))
		w.history = append(w.history, Step{At: now.Sub(w.began), By: e.by.name, Kind: e.kind, Subject: e.subject, Fault: f})
		return
	}
	w.queue.remove(e)
	w.current, w.noted = f, ""
	if e.tried != nil {
		e.tried()
	}
	var err error
	switch f {
	case Fails:
		err = errFault
	case CrashBefore:
		err = errGone
	case LosesAnswer:
		if err = e.do(); err == nil {
			err = errFault
		}
	case CrashAfter:
		_ = e.do()
		err = errGone
	default:
		err = e.do()
	}
	step := Step{At: now.Sub(w.began), Kind: e.kind, Subject: e.subject, Fault: f, Note: w.noted}
	if e.by != nil {
		step.By = e.by.name
	}
	w.history = append(w.history, step)
	if f == CrashBefore || f == CrashAfter {
		w.crash(e.by)
	}
	e.done <- err
}

// notef says what comes of the effect that is taken.
func (w *World) notef(format string, args ...any) { w.noted = fmt.Sprintf(format, args...) }

// close ends all that lives in the world.
func (w *World) close() {
	w.queue.drop(nil)
	w.end()
	w.asking.Wait()
	w.living.Wait()
}
