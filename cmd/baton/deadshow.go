package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
)

type deadShowCommand struct {
	deadFlags

	ID   string `arg:"" help:"Id of the event."`
	Data bool   `help:"Show the event's data too, and the callback's whole address: both are the caller's."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

func (deadShowCommand) Help() string {
	return `Shows one dead letter: why it died in words, what to do about it, what it went through, and
the event with its attributes. The data of the event is the caller's own, and is shown only
with --data.`
}

// shown is a dead letter, shown by itself.
type shown struct {
	listed

	Meaning string         `json:"meaning"`
	Remedy  string         `json:"remedy"`
	History history        `json:"history"`
	Copies  int            `json:"copies"` // how many dead letters have the id
	Event   map[string]any `json:"event"`  // its attributes, and with --data its data
}

// history is what the event went through.
type history struct {
	Type         string    `json:"type"`
	AcceptedAt   time.Time `json:"accepted_at,omitzero"`
	EmittedAt    time.Time `json:"emitted_at,omitzero"`
	DiedAt       time.Time `json:"died_at,omitzero"`
	Deadline     time.Time `json:"deadline,omitzero"`
	CausedBy     string    `json:"caused_by,omitempty"`
	Attempt      int       `json:"attempt"`        // the attempt that the event is about
	Begun        int       `json:"attempts_begun"` // those in which a model was called
	TriedTargets []string  `json:"tried_targets"`  // in order
	Target       string    `json:"target,omitempty"`
	ErrorCode    string    `json:"error_code,omitempty"`
	ErrorMessage string    `json:"error_message,omitempty"`
	Hops         int       `json:"hops"`
	Tries        int       `json:"tries"`          // at the function where it died
	StoredAnew   int       `json:"times_put_back"` // for another try, to wait, or by a redrive
}

func (d deadShowCommand) Run(ctx context.Context, c *console) error {
	bus, done, err := d.open(ctx, c)
	if err != nil {
		return err
	}
	defer done()
	return d.show(ctx, c, bus, time.Now())
}

func (d deadShowCommand) show(ctx context.Context, c *console, bus hop.DeadLetters, now time.Time) error {
	var found events.Event
	copies := 0
	for l, err := range letters(ctx, bus) {
		if err != nil && !errors.Is(err, errForeign) {
			return err
		}
		if err == nil && l.Event.ID == d.ID {
			copies++
			found = l.Event // the newest of those with the id
		}
	}
	if copies == 0 {
		return fmt.Errorf("dead show: no dead letter has the id %q: baton dead list has those there are", d.ID)
	}
	s := d.of(found, copies)
	if d.JSON {
		if err := printJSON(c.out, s); err != nil {
			return fmt.Errorf("dead show: %w", err)
		}
		return nil
	}
	return s.print(c, now)
}

func (d deadShowCommand) of(e events.Event, copies int) shown {
	m := meaningOf(e.Dead.Reason)
	if e.Dead.Hop == events.Ingest {
		m = atDoor
	}
	s := shown{
		listed: listedOf(e), Meaning: m.says, Remedy: m.remedy, Copies: copies, Event: d.attributes(e),
		History: history{
			Type: e.Type.Step(), AcceptedAt: e.Accepted, EmittedAt: e.Time, DiedAt: e.Dead.Time, Deadline: e.Expiry,
			CausedBy: e.CausationID, Attempt: e.Attempt, Begun: e.Begun, TriedTargets: e.Tried, Target: e.Target,
			ErrorCode: e.ErrorCode, ErrorMessage: e.ErrorMessage, Hops: e.Hops, Tries: e.Tries + 1, StoredAnew: e.Copy,
		},
	}
	if e.Type == events.Completed && e.Attempt > 0 {
		s.History.Begun++ // the event counts those before it
	}
	if s.History.TriedTargets == nil {
		s.History.TriedTargets = []string{}
	}
	return s
}

// attributes returns the event's attributes and, where it is asked for, its data, in the form of the JSON format of
// CloudEvents. Without it a callback's address is shown as far as it says where it leads: the rest may be a secret.
func (d deadShowCommand) attributes(e events.Event) map[string]any {
	all := map[string]any{}
	maps.Insert(all, e.Attributes())
	if !d.Data {
		if e.CallbackURL != "" {
			all["callbackurl"] = whereTo(e.CallbackURL)
		}
		return all
	}
	if e.DataContentType == events.JSON && json.Valid(e.Data) {
		all["data"] = json.RawMessage(e.Data)
	} else if e.Data != nil {
		all["data_base64"] = e.Data
	}
	return all
}

// whereTo returns the scheme and the host of an address.
func whereTo(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "not a URL"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

func (s shown) print(c *console, now time.Time) error {
	h := s.History
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	at := func(name string, t time.Time, more string) {
		if !t.IsZero() {
			line(name, "%s%s", t.UTC().Format(time.RFC3339), more)
		}
	}
	fmt.Fprintf(&b, "%s\n\n", s.ID)
	line("died at", "%s, %s ago", s.Hop, age(s.DiedAt, now))
	line("reason", "%s", s.Reason)
	line("", "%s", s.Meaning)
	line("to do", "%s", s.Remedy)
	if s.Detail != "" {
		line("detail", "%s", s.Detail)
	}
	// Of what was refused at the door: where it came from, and what its sender calls it.
	for _, of := range []struct{ name, attribute string }{{"came from", "place"}, {"sender's id", "originid"}} {
		if v, ok := s.Event[of.attribute].(string); ok && v != "" && s.Hop == events.Ingest {
			line(of.name, "%s", v)
		}
	}
	if s.Copies > 1 {
		line("copies", "%d dead letters have this id; this is the newest", s.Copies)
	}
	fmt.Fprint(&b, "\nHistory\n")
	at("accepted", h.AcceptedAt, "")
	at("emitted", h.EmittedAt, ", as "+h.Type)
	at("died", h.DiedAt, "")
	if !h.Deadline.IsZero() {
		passed := ""
		if now.After(h.Deadline) {
			passed = ", which has passed"
		}
		at("deadline", h.Deadline, passed)
	}
	if h.CausedBy != "" {
		line("caused by", "%s", h.CausedBy)
	}
	line("attempts", "%s", attempts(h))
	if h.ErrorCode != "" {
		line("error", "%s", strings.TrimSuffix(h.ErrorCode+": "+h.ErrorMessage, ": "))
	}
	line("tries", "%d at %s", h.Tries, s.Hop)
	if h.StoredAnew > 0 {
		line("put back", "%s, for another try, to wait, or by a redrive", counted(h.StoredAnew, "time"))
	}
	text, err := json.MarshalIndent(s.Event, "", "  ")
	if err != nil {
		return fmt.Errorf("dead show: %w", err)
	}
	fmt.Fprintf(&b, "\nEvent\n%s\n", text)
	if _, ok := s.Event["data"]; !ok && s.Event["data_base64"] == nil {
		fmt.Fprint(&b, "\nIts data is the caller's; --data shows it.\n")
	}
	fmt.Fprint(c.out, b.String())
	return nil
}

// attempts says what was tried, in words.
func attempts(h history) string {
	if h.Attempt == 0 {
		return "none yet"
	}
	text := fmt.Sprintf("%s called a model; this is attempt %d, at %s", counted(h.Begun, "attempt"), h.Attempt, orDash(h.Target))
	if len(h.TriedTargets) > 0 {
		text += "; failed at " + strings.Join(h.TriedTargets, ", ")
	}
	return text
}
