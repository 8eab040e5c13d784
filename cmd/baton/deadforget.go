package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"baton.dev/baton/events"
)

type deadForgetCommand struct {
	deadFlags
	deadFilter

	IDs  []string `arg:"" optional:"" name:"id" help:"Ids of the events."`
	All  bool     `help:"Forget all of them."`
	Yes  bool     `short:"y" help:"Do not ask."`
	JSON bool     `name:"json" help:"Print each as a JSON object, a line each; what else is said goes to the error output."`
}

func (deadForgetCommand) Help() string {
	return `Removes dead letters for good: nothing brings them back, and what they were is neither answered
nor delivered any more. It is for those that a redrive does not help, such as messages that
were refused at the door. Name ids, or --all, or filters, which choose some. It says how many
there are and asks, unless --yes is given, and removes those alone: what dies meanwhile stays.

  baton dead forget --hop ingest --since 24h
  baton dead forget ID --yes

The exit status is 1 if any could not be removed, or if the answer was no.`
}

func (d deadForgetCommand) Run(ctx context.Context, c *console) error {
	takes, err := d.chosen(time.Now())
	if err != nil {
		return err
	}
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	f := &forgetter{bus: bus, c: c, takes: takes, yes: d.Yes, json: d.JSON}
	return f.run(ctx, d.IDs)
}

// chosen returns which letters are meant, or says what is wrong with how they are named.
func (d deadForgetCommand) chosen(now time.Time) (func(events.Event) bool, error) {
	ways := 0
	for _, given := range []bool{len(d.IDs) > 0, d.All, !d.none()} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, errors.New("dead forget: name the ids to forget, or --all, or filters such as --hop ingest: one of the three")
	}
	takes, err := d.parse(now)
	if err != nil {
		return nil, err
	}
	return func(e events.Event) bool { return takes(e) && (len(d.IDs) == 0 || slices.Contains(d.IDs, e.ID)) }, nil
}

// forgetter removes dead letters.
type forgetter struct {
	bus   deadLetters
	c     *console
	takes func(events.Event) bool
	yes   bool
	json  bool
}

// doomed is a letter that is to be removed.
type doomed struct {
	listed

	key string
}

// forgotten is what became of one, in JSON.
type forgotten struct {
	listed

	Forgotten bool   `json:"forgotten"`
	Error     string `json:"error,omitempty"`
}

// run removes what is to be, once that is agreed, and says what it did. ids are those that must be found.
func (f *forgetter) run(ctx context.Context, ids []string) error {
	all, err := f.find(ctx)
	if err != nil {
		return err
	}
	missing := 0
	for _, id := range ids {
		if !slices.ContainsFunc(all, func(d doomed) bool { return d.ID == id }) {
			missing++
			fmt.Fprintf(f.c.err, "not forgotten %s: no dead letter has the id\n", id)
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(f.says(), "No dead letters to forget.")
		return said(missing > 0)
	}
	if !f.yes {
		if err := f.ask(all); err != nil {
			return err
		}
	}
	done, failed, stopped := 0, missing, false
	for _, d := range all {
		if stopped = ctx.Err() != nil; stopped {
			fmt.Fprintln(f.c.err, "stopped: what was not forgotten stays a dead letter")
			break
		}
		ok, err := f.one(ctx, d)
		if err != nil {
			return err
		}
		if ok {
			done++
		} else {
			failed++
		}
	}
	fmt.Fprintf(f.says(), "%s forgotten", counted(done, "dead letter"))
	if failed > 0 {
		fmt.Fprintf(f.says(), ", %d not", failed)
	}
	fmt.Fprintln(f.says(), ".")
	return said(failed > 0 || stopped)
}

func said(failed bool) error {
	if failed {
		return errSaid
	}
	return nil
}

// says is where what is no object goes.
func (f *forgetter) says() io.Writer {
	if f.json {
		return f.c.err
	}
	return f.c.out
}

func (f *forgetter) find(ctx context.Context) ([]doomed, error) {
	var all []doomed
	for l, err := range letters(ctx, f.bus) {
		if errors.Is(err, errForeign) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.takes(l.Event) {
			all = append(all, doomed{listedOf(l.Event), l.Key})
		}
	}
	return all, nil
}

// ask says what is about to be removed, and returns an error unless the answer is yes.
func (f *forgetter) ask(all []doomed) error {
	kinds := map[string]int{}
	for _, d := range all {
		kinds[fmt.Sprintf("%s  %s", d.Hop, orDash(string(d.Reason)))]++
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(f.c.err, "%6d  %s\n", kinds[kind], kind)
	}
	fmt.Fprintf(f.c.err, "Forget %s for good? Type yes: ", counted(len(all), "dead letter"))
	answer, err := bufio.NewReader(f.c.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("dead forget: read the answer: %w", err)
	}
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	fmt.Fprintln(f.c.err, "\nNothing is forgotten. Without anybody to ask, --yes says it.")
	return errSaid
}

// one removes one and says so. Its error is that of saying it.
func (f *forgetter) one(ctx context.Context, d doomed) (ok bool, _ error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWait)
	defer cancel()
	err := f.bus.RemoveDeadLetter(ctx, d.key)
	switch {
	case f.json:
		line := forgotten{listed: d.listed, Forgotten: err == nil}
		if err != nil {
			line.Error = err.Error()
		}
		return err == nil, lineJSON(f.c.out, line)
	case err != nil:
		fmt.Fprintf(f.c.err, "not forgotten %s: %v\n", d.ID, err)
	default:
		fmt.Fprintf(f.c.out, "forgotten %s\n", d.ID)
	}
	return err == nil, nil
}
