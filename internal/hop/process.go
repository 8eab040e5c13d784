package hop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"baton.dev/baton/events"
)

// settleTimeout bounds the storing of an output and the settling of an input, which go on through a drain: what was paid
// for must not be lost because the process is asked to stop. It is less than the default grace. The last of it is left for
// the settling when the storing has used up its part.
const (
	settleTimeout = storeTimeout + 2*time.Second
	storeTimeout  = 8 * time.Second
)

// ProcessorConfig is what a [Processor] is made of.
type ProcessorConfig struct {
	Hop       events.Hop
	Handler   Handler
	Publisher Publisher
	Limits    Limits
	Log       *slog.Logger
	// Observe, if set, is called after each delivery is settled, from the goroutine that handled it.
	Observe func(Settled)
}

// Processor takes deliveries to their outcomes: it admits, handles, stores and settles. A [Worker] feeds one with what it
// pulls; where deliveries are pushed, [Processor.Handle] takes them. It is safe for concurrent use.
type Processor struct {
	cfg ProcessorConfig

	now func() time.Time
}

// NewProcessor returns a processor, or an error that says what the configuration lacks.
func NewProcessor(cfg ProcessorConfig) (*Processor, error) {
	if cfg.Handler == nil || cfg.Publisher == nil || cfg.Log == nil {
		return nil, fmt.Errorf("hop: processor %q: Handler, Publisher and Log are required", cfg.Hop)
	}
	cfg.Limits = cfg.Limits.withDefaults()
	return &Processor{cfg: cfg, now: time.Now}, nil
}

// Settled is what became of one delivery.
type Settled struct {
	Hop      events.Hop
	In       events.Event
	Out      []events.Event
	Outcome  Outcome
	Began    time.Time
	Duration time.Duration
}

// process takes one delivery to its outcome. The handler's context is handling; an end of it that is not its deadline is
// not the event's doing, and the delivery is given back. Storing and settling go on in the context settling.
//
// What happens if the process dies:
//
//	before the handler            the lease runs out, the delivery is repeated
//	in the handler                the same; what the handler did outside is repeated or recognised there
//	after it, before the output   the same
//	after the output is stored,   the delivery is repeated, and its output, which has the same ids, is stored once
//	before the input is settled
//
// What happens if the transport takes no output, and the process lives: see [Processor.store]. The output is kept in this
// process with the delivery's lease, and stored when the transport is back; the handler is not called again. Where the lease
// is lost first, or the process has to end, it is as if the process had died before the output: the delivery is repeated.
//
// A transport that forgets ids after a while stores an output twice if the repeat comes later than that; the terminal
// event is then told apart by the results store.
func (p *Processor) process(handling, settling context.Context, d Delivery) Settled {
	began := p.now()
	var out []events.Event
	outcome := p.cfg.Limits.Admit(p.cfg.Hop, d, began)
	if outcome == nil {
		var err error
		out, err = call(handling, p.cfg.Handler, d.Event)
		switch {
		case errors.Is(context.Cause(handling), errLeaseLost):
			outcome = &Outcome{Kind: Return, Err: errLeaseLost}
		case err != nil && errors.Is(handling.Err(), context.Canceled):
			outcome = &Outcome{Kind: Return, Err: err} // the drain ended it, not its own doing
		default:
			o := p.cfg.Limits.Classify(d.Event, err)
			if o.Kind == Return {
				o.After = p.pause(d)
			}
			outcome = &o
		}
	}
	settled := p.settle(handling, settling, d, out, *outcome)
	s := Settled{Hop: p.cfg.Hop, In: d.Event, Outcome: settled, Began: began, Duration: p.now().Sub(began)}
	if settled.Kind == Done {
		s.Out = out
	}
	return s
}

// call calls the handler and turns a panic into an error.
func call(ctx context.Context, handle Handler, in events.Event) (out []events.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, &panicked{v, debug.Stack()}
		}
	}()
	return handle(ctx, in)
}

// settle stores what the outcome asks for and then settles the input. It returns what really became of the delivery.
func (p *Processor) settle(handling, settling context.Context, d Delivery, out []events.Event, o Outcome) Outcome {
	var err error
	switch o.Kind {
	case Done:
		err = p.store(handling, settling, d, out)
	case Retry:
		again := d.Event.Again(p.now().Add(o.After))
		if o.As != nil {
			again = o.As.Anew()
		}
		err = p.publish(settling, []events.Event{again})
	case Parked:
		err = p.publish(settling, []events.Event{d.Event.Parked(o.Until)})
	case Dead:
		err = p.publish(settling, []events.Event{d.Event.AsDead(p.deadLetter(o))})
	case Return:
		return p.giveBack(settling, d, o)
	}
	switch {
	case err == nil:
		p.acknowledge(settling, d)
		return o
	case errors.Is(err, ErrTooLarge) && o.Kind == Done:
		return p.settle(handling, settling, d, nil, Outcome{Kind: Dead, Reason: events.ReasonTooLarge, Err: err})
	case errors.Is(context.Cause(handling), errLeaseLost):
		return Outcome{Kind: Return, Err: fmt.Errorf("%w; its output was not stored: %w", errLeaseLost, err)}
	}
	// The transport is in trouble: nothing was decided.
	return p.giveBack(settling, d, Outcome{Kind: Return, After: p.pause(d), Err: err})
}

// acknowledge says that the delivery's output is stored. If the broker does not hear it, the delivery is repeated, and its
// repeat recognised.
func (p *Processor) acknowledge(ctx context.Context, d Delivery) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout-storeTimeout)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		p.cfg.Log.Warn("settled delivery not acknowledged", "hop", p.cfg.Hop, "id", d.Event.ID, "error", err)
	}
}

// pause is how long a delivery is given back for when something on this side is in trouble. It grows with the deliveries,
// which do not count as tries.
func (p *Processor) pause(d Delivery) time.Duration {
	return p.cfg.Limits.Backoff.Delay(d.Number-1, d.Event.ID)
}

// giveBack gives the delivery back, unless it is not this process's to give any more.
func (p *Processor) giveBack(ctx context.Context, d Delivery, o Outcome) Outcome {
	if errors.Is(o.Err, errLeaseLost) {
		return o
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout-storeTimeout)
	defer cancel()
	if err := d.Return(ctx, o.After); err != nil {
		p.cfg.Log.Warn("delivery not given back; its lease runs out", "hop", p.cfg.Hop, "id", d.Event.ID, "error", err)
	}
	return o
}

// maxDetail bounds the detail of a dead letter in bytes, so that a dead letter is never much larger than its event.
const maxDetail = 1024

func (p *Processor) deadLetter(o Outcome) events.DeadLetter {
	detail := o.Err.Error()
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "")
	}
	return events.DeadLetter{Hop: p.cfg.Hop, Reason: o.Reason, Detail: detail, Time: p.now()}
}

// report writes the one line of a delivery, and tells the observer.
func (p *Processor) report(s Settled) {
	level := slog.LevelDebug
	switch s.Outcome.Kind {
	case Done, Parked:
	case Retry, Return:
		level = slog.LevelInfo
	case Dead:
		level = slog.LevelError
	}
	if log := p.cfg.Log; log.Enabled(context.Background(), level) {
		attrs := []any{
			"hop", s.Hop, "id", s.In.ID, "type", s.In.Type.Step(), "attempt", s.In.Attempt, "try", s.In.Tries + 1,
			"outcome", string(s.Outcome.Kind), "duration", s.Duration,
		}
		if s.Outcome.Reason != "" {
			attrs = append(attrs, "reason", string(s.Outcome.Reason))
		}
		if s.Outcome.After > 0 {
			attrs = append(attrs, "after", s.Outcome.After)
		}
		if s.Outcome.Err != nil {
			attrs = append(attrs, "error", s.Outcome.Err)
		}
		if e, ok := errors.AsType[*panicked](s.Outcome.Err); ok {
			attrs = append(attrs, "stack", string(e.stack))
		}
		log.Log(context.Background(), level, "settled", attrs...)
	}
	if p.cfg.Observe != nil {
		p.cfg.Observe(s)
	}
}
