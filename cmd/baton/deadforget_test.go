package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"baton.dev/baton/events"
)

// forgetterOf returns a forgetter of all that is answered so when it asks, and what it prints.
func forgetterOf(bus deadLetters, answer string) (f *forgetter, out, stderr *output) {
	c, out, stderr := quiet()
	c.in = strings.NewReader(answer)
	return &forgetter{bus: bus, c: c, takes: func(events.Event) bool { return true }}, out, stderr
}

func TestDeadLettersAreForgottenOnceThatIsAgreed(t *testing.T) {
	t.Parallel()
	for answer, agreed := range map[string]bool{"yes\n": true, "yes": true, "yes \r\n": true, "y\n": false, "no\n": false, "\n": false, "": false} {
		bus := buried(t, 3)
		if err := bus.Publish(t.Context(), refusedAtDoor()); err != nil {
			t.Fatal(err)
		}
		f, out, stderr := forgetterOf(bus, answer)
		err := f.run(t.Context(), nil)
		for _, says := range []string{"2  schedule  exhausted", "1  callback  undelivered", "1  ingest  refused", "Forget 4 dead letters for good?"} {
			if !strings.Contains(stderr.String(), says) {
				t.Errorf("%q: it does not say %q: %s", answer, says, stderr)
			}
		}
		switch n := len(left(t, bus)); {
		case agreed && (err != nil || n != 0 || !strings.HasSuffix(out.String(), "\n4 dead letters forgotten.\n")):
			t.Errorf("%q: %v, %d are left: %s", answer, err, n, out)
		case !agreed && (!errors.Is(err, errSaid) || n != 4 || out.String() != "" || !strings.Contains(stderr.String(), "Nothing is forgotten")):
			t.Errorf("%q: %v, %d are left: %s%s", answer, err, n, out, stderr)
		}
		if len(waiting(t, bus)) != 0 {
			t.Errorf("%q: something was redriven", answer)
		}
	}
}

func TestOnlyWhatIsNamedIsForgotten(t *testing.T) {
	t.Parallel()
	ids := []string{}
	for _, e := range left(t, buried(t, 4)) {
		ids = append(ids, e.ID)
	}
	for name, tc := range map[string]struct {
		command deadForgetCommand
		keeps   []string
		missing bool
	}{
		"ids":                {deadForgetCommand{IDs: []string{ids[0], ids[3]}}, []string{ids[1], ids[2]}, false},
		"all":                {deadForgetCommand{All: true}, nil, false},
		"a filter":           {deadForgetCommand{deadFilter: deadFilter{Hop: "callback"}}, []string{ids[0], ids[2]}, false},
		"a time":             {deadForgetCommand{deadFilter: deadFilter{Since: "2026-01-02T03:02:00Z"}}, []string{ids[0], ids[1]}, false},
		"one there is not":   {deadForgetCommand{IDs: []string{"nobody", ids[1]}}, []string{ids[0], ids[2], ids[3]}, true},
		"none there is":      {deadForgetCommand{IDs: []string{"nobody"}}, ids, true},
		"none that is meant": {deadForgetCommand{deadFilter: deadFilter{Tenant: "c"}}, ids, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := buried(t, 4)
			f, out, stderr := forgetterOf(bus, "")
			f.yes = true
			var err error
			if f.takes, err = tc.command.chosen(diedAt(60)); err != nil {
				t.Fatal(err)
			}
			err = f.run(t.Context(), tc.command.IDs)
			if tc.missing != errors.Is(err, errSaid) || tc.missing != strings.Contains(stderr.String(), "not forgotten nobody: no dead letter has the id") {
				t.Errorf("%v: %s", err, stderr)
			}
			var kept []string
			for _, e := range left(t, bus) {
				kept = append(kept, e.ID)
			}
			if strings.Join(kept, " ") != strings.Join(tc.keeps, " ") {
				t.Errorf("kept %v, want %v: %s", kept, tc.keeps, out)
			}
			if strings.Contains(stderr.String(), "Type yes") {
				t.Error("it asked")
			}
		})
	}
}

func TestWhatIsToBeForgottenIsNamedInOneWay(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]deadForgetCommand{
		"nothing": {}, "ids and all": {IDs: []string{"a"}, All: true}, "all and a filter": {All: true, deadFilter: deadFilter{Hop: "infer"}},
	} {
		if _, err := d.chosen(diedAt(0)); err == nil || !strings.Contains(err.Error(), "one of the three") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (deadForgetCommand{deadFilter: deadFilter{Hop: "door"}}).chosen(diedAt(0)); err == nil {
		t.Error("a hop that is none is taken")
	}
}

func TestWhatCannotBeForgottenIsSaidAndTheOthersGo(t *testing.T) {
	t.Parallel()
	bus := buried(t, 3)
	f, out, stderr := forgetterOf(&faulty{Bus: bus, removals: 1, removed: func() {}}, "")
	f.yes, f.json = true, true
	if err := f.run(t.Context(), nil); !errors.Is(err, errSaid) || len(left(t, bus)) != 1 {
		t.Errorf("%v, %d are left", err, len(left(t, bus)))
	}
	if !strings.Contains(stderr.String(), "2 dead letters forgotten, 1 not.") {
		t.Errorf("said %s", stderr)
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		var one struct {
			ID        string
			Forgotten bool
			Error     string
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.ID == "" || one.Forgotten != (n > 0) || one.Forgotten != (one.Error == "") {
			t.Errorf("%v: %s", err, line)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestWhatDiesWhileItAsksStays(t *testing.T) {
	t.Parallel()
	bus := buried(t, 1)
	f, _, _ := forgetterOf(bus, "")
	f.c.in = readerFunc(func(p []byte) (int, error) {
		if err := bus.Publish(t.Context(), refusedAtDoor()); err != nil {
			t.Error(err)
		}
		return copy(p, "yes\n"), nil
	})
	if err := f.run(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if all := left(t, bus); len(all) != 1 || all[0].ID != "refused-1" {
		t.Errorf("left %v", all)
	}
}

func TestAnInterruptStopsForgettingBetweenTwo(t *testing.T) {
	t.Parallel()
	bus := buried(t, 3)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	f, out, stderr := forgetterOf(&faulty{Bus: bus, removed: interrupt}, "")
	f.yes = true
	if err := f.run(ctx, nil); !errors.Is(err, errSaid) || len(left(t, bus)) != 2 ||
		!strings.Contains(out.String(), "1 dead letter forgotten.") || !strings.Contains(stderr.String(), "stopped") {
		t.Errorf("%v, %d are left: %s%s", err, len(left(t, bus)), out, stderr)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
