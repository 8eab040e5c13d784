package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

type deadRedriveCommand struct {
	deadFlags
	deadFilter

	IDs    []string `arg:"" optional:"" name:"id" help:"Ids of the events."`
	All    bool     `help:"Redrive all of them."`
	Rate   string   `help:"How many at most: 50/s, 30/m, 10/h or unlimited; 100/s if not given." default:"100/s" placeholder:"RATE"`
	DryRun bool     `name:"dry-run" help:"Say what would be redriven, and change nothing."`
	JSON   bool     `name:"json" help:"Print each as a JSON object, a line each; the total goes to the error output."`
}

func (deadRedriveCommand) Help() string {
	return `Puts dead letters back where they died, under the same ids, to be tried from the start. Name
ids, or --all, or filters, which choose some. The exit status is 1 if any could not be put
back; those stay dead letters, as does everything after Ctrl-C, which stops between two.

  baton dead redrive --reason undelivered --tenant search --dry-run
  baton dead redrive --reason undelivered --tenant search --rate 20/s

A letter is stored anew, and then removed. After a crash between the two it is listed
still, and redriving it again is safe: it has the same id.`
}

func (d deadRedriveCommand) Run(ctx context.Context, c *console) error {
	ways := 0
	for _, given := range []bool{len(d.IDs) > 0, d.All, !d.none()} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("dead redrive: name the ids to redrive, or --all, or filters such as --reason: one of the three")
	}
	takes, err := d.parse(time.Now())
	if err != nil {
		return err
	}
	pause, err := parseRate(d.Rate)
	if err != nil {
		return err
	}
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	r := &redriver{
		bus: bus, c: c, pause: pause, dryRun: d.DryRun, json: d.JSON, now: time.Now,
		takes: func(e events.Event) bool { return takes(e) && (len(d.IDs) == 0 || slices.Contains(d.IDs, e.ID)) },
	}
	return r.run(ctx, d.IDs)
}

var rate = regexp.MustCompile(`^([0-9]{1,6})/([smh])$`)

// parseRate reads a rate and returns the time between two.
func parseRate(text string) (time.Duration, error) {
	if text == "unlimited" {
		return 0, nil
	}
	m := rate.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("dead redrive: --rate %q: want one such as 50/s or 30/m, or unlimited", text)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n == 0 {
		return 0, fmt.Errorf("dead redrive: --rate %q: want more than 0", text)
	}
	return map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[m[2]] / time.Duration(n), nil
}

// redriver puts dead letters back.
type redriver struct {
	bus    deadLetters
	c      *console
	takes  func(events.Event) bool
	pause  time.Duration // between two
	dryRun bool
	json   bool
	now    func() time.Time

	done, failed int
}

// redriven is what became of one, in JSON.
type redriven struct {
	listed

	Redriven bool   `json:"redriven"`
	DryRun   bool   `json:"dry_run,omitempty"`
	Error    string `json:"error,omitempty"`
}

// settleWait bounds the putting back of one, which is not interrupted.
const settleWait = 30 * time.Second

// run puts back what is to be, and says what it did. ids are those that must be found.
func (r *redriver) run(ctx context.Context, ids []string) error {
	began := r.now()
	seen := map[string]bool{}
	stopped := false
	for l, err := range letters(ctx, r.bus) {
		if stopped = ctx.Err() != nil; stopped {
			break // which may be what the error is about
		}
		if errors.Is(err, errForeign) {
			continue
		}
		if err != nil {
			r.total()
			return err
		}
		// One that was put back just now may have died again, and the clocks of two machines differ.
		if !r.takes(l.Event) || seen[l.Event.ID] || l.Event.Dead.Time.After(began) {
			continue
		}
		if r.done+r.failed > 0 && !r.dryRun && !wait(ctx, r.pause) {
			stopped = true
			break
		}
		seen[l.Event.ID] = true
		if err := r.one(ctx, l); err != nil {
			return err
		}
	}
	if stopped {
		fmt.Fprintln(r.c.err, "stopped: what was not put back stays a dead letter")
	} else {
		r.missing(ids, seen)
	}
	r.total()
	if r.failed > 0 || stopped {
		return errSaid
	}
	return nil
}

// one puts one back and says so. Its error is that of saying it.
func (r *redriver) one(ctx context.Context, l hop.DeadLetter) error {
	var err error
	switch {
	case l.Event.Dead.Hop == events.Ingest:
		err = errAtDoor
	case !r.dryRun:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWait)
		err = redrive(ctx, r.bus, l)
		cancel()
	}
	if err == nil {
		r.done++
	} else {
		r.failed++
	}
	if r.json {
		line := redriven{listed: listedOf(l.Event), Redriven: err == nil && !r.dryRun, DryRun: r.dryRun}
		if err != nil {
			line.Error = err.Error()
		}
		return lineJSON(r.c.out, line)
	}
	switch {
	case err != nil:
		fmt.Fprintf(r.c.err, "not redriven %s: %v\n", l.Event.ID, err)
	case r.dryRun:
		fmt.Fprintf(r.c.out, "would redrive %s  %s  %s\n", l.Event.ID, l.Event.Dead.Hop, l.Event.Dead.Reason)
	default:
		fmt.Fprintf(r.c.out, "redriven %s\n", l.Event.ID)
	}
	return nil
}

// missing counts the ids that no dead letter has.
func (r *redriver) missing(ids []string, seen map[string]bool) {
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			r.failed++
			fmt.Fprintf(r.c.err, "not redriven %s: no dead letter has the id\n", id)
		}
	}
}

// total says how many there were.
func (r *redriver) total() {
	out := r.c.out
	if r.json {
		out = r.c.err
	}
	what := "redriven"
	if r.dryRun {
		what = "would be redriven"
	}
	fmt.Fprintf(out, "%s %s", counted(r.done, "dead letter"), what)
	if r.failed > 0 {
		fmt.Fprintf(out, ", %d not", r.failed)
	}
	fmt.Fprintln(out, ".")
}

// errAtDoor says why what was refused at the door is not put back: it never was a request of the chain.
var errAtDoor = errors.New("it was refused at the door, and is for its sender to mend and to send again")

// redrive stores the event anew and then forgets the dead letter: a crash between the two leaves it listed, and redriving
// it again stores nothing twice.
func redrive(ctx context.Context, bus deadLetters, l hop.DeadLetter) error {
	if err := bus.Publish(ctx, l.Event.Redrive()); err != nil {
		return err
	}
	return bus.RemoveDeadLetter(ctx, l.Key)
}

// wait waits for d, or reports that ctx was done before.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
