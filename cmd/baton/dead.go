package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
	"baton.dev/baton/internal/bus/sqsbus"
	"baton.dev/baton/internal/hop"
)

type deadCommand struct {
	List    deadListCommand    `cmd:"" help:"List the dead letters, oldest first."`
	Show    deadShowCommand    `cmd:"" help:"Show one: why it died, what to do about it, and what it went through."`
	Redrive deadRedriveCommand `cmd:"" help:"Put dead letters back where they died, under the same id."`
	Forget  deadForgetCommand  `cmd:"" help:"Remove dead letters for good."`
}

// deadFlags name the transport whose dead letters are meant.
type deadFlags struct {
	natsFlag
	SQS string `name:"sqs" help:"Start of the queues' URLs, for a chain on SQS." env:"BATON_SQS_URL" placeholder:"URL"`
}

// deadLetters is a transport, as far as dead letters need one.
type deadLetters interface {
	hop.Publisher
	hop.DeadLetters
}

// open connects to the transport.
func (f deadFlags) open(ctx context.Context, c *console) (deadLetters, func(), error) {
	if f.SQS != "" {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("dead: %w", err)
		}
		return sqsbus.New(sqs.NewFromConfig(cfg), sqsbus.Options{URL: f.SQS}), func() {}, nil
	}
	nc, err := natsbus.Connect(ctx, natsbus.ConnectOptions{URL: f.NATS, Name: "baton-dead", Wait: operatorWait, Log: c.log})
	if err != nil {
		return nil, nil, err
	}
	bus, err := natsbus.Open(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return bus, nc.Close, nil
}

// deadFilter chooses among dead letters. The zero value takes all.
type deadFilter struct {
	Hop    string `help:"Only those that died at this function: ingest, schedule, infer, callback or batch." placeholder:"HOP"`
	Reason string `help:"Only those with this reason." placeholder:"REASON"`
	Tenant string `help:"Only those of this tenant." placeholder:"TENANT"`
	Since  string `help:"Only those that died since: 2h ago, or a time such as 2026-01-02T15:04:05Z." placeholder:"WHEN"`
}

// none reports whether the filter takes all.
func (f deadFilter) none() bool { return f == deadFilter{} }

// parse returns the filter as a function, or says what is wrong with it.
func (f deadFilter) parse(now time.Time) (func(events.Event) bool, error) {
	hops := []events.Hop{events.Ingest, events.Schedule, events.Infer, events.Callback, events.Batch}
	if f.Hop != "" && !slices.Contains(hops, events.Hop(f.Hop)) {
		return nil, fmt.Errorf("dead: --hop %q: want ingest, schedule, infer, callback or batch", f.Hop)
	}
	if _, ok := meanings[events.Reason(f.Reason)]; f.Reason != "" && !ok {
		return nil, fmt.Errorf("dead: --reason %q: want one of %s", f.Reason, strings.Join(reasonWords(), ", "))
	}
	since, err := moment(f.Since, now)
	if err != nil {
		return nil, err
	}
	return func(e events.Event) bool {
		return (f.Hop == "" || e.Dead.Hop == events.Hop(f.Hop)) &&
			(f.Reason == "" || e.Dead.Reason == events.Reason(f.Reason)) &&
			(f.Tenant == "" || e.Tenant == f.Tenant) &&
			!e.Dead.Time.Before(since)
	}, nil
}

// moment reads a time, or a duration before now. The empty text is the zero time.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("dead: --since %q: want a duration such as 2h, or a time such as 2026-01-02T15:04:05Z", text)
}

// errForeign is what stands where a message in the place of dead letters is none.
var errForeign = errors.New("a message among the dead letters has no mark of one: the chain did not put it there")

// letters yields the dead letters of the chain, and errForeign for each message among them that is none.
func letters(ctx context.Context, bus hop.DeadLetters) iter.Seq2[hop.DeadLetter, error] {
	return func(yield func(hop.DeadLetter, error) bool) {
		for l, err := range bus.DeadLetters(ctx) {
			if err == nil && l.Event.Dead == nil {
				err = errForeign
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// age returns how long ago a time was, in its two largest units.
func age(at, now time.Time) string {
	d := max(now.Sub(at), 0)
	const day = 24 * time.Hour
	switch {
	case at.IsZero():
		return "-"
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// orDash returns the text, or a dash for none.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
