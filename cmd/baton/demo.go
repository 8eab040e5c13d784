package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/local"
)

type demoCommand struct {
	Data string `help:"Directory to keep everything in; a temporary one if not given." type:"path"`
}

// demoWait bounds the demonstration. It ends long before.
const demoWait = time.Minute

// demoRequests are what is sent.
var demoRequests = []map[string]any{
	{"model_id": "gpt-4-turbo", "prompt": "Name three uses of a baton.", "priority": "high"},
	{"model_id": "llama-3-70b", "prompt": "Who passes it on?", "parameters": map[string]any{"temperature": 0.2}},
	{
		"model_id": "gpt-4-turbo", "priority": "low",
		"messages": []any{map[string]any{"role": "user", "content": "And who may drop it?"}},
	},
}

func (d demoCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, demoWait)
	defer cancel()
	show := &journeys{out: c.out, started: map[string]journey{}}
	l, err := local.Start(ctx, local.Options{
		Listen: "127.0.0.1:0", Data: d.Data, NATSListen: "127.0.0.1:0", Log: c.log, Observe: show.settled,
	})
	if err != nil {
		return err
	}
	defer l.Stop()
	if l.Key == "" {
		return errors.New("demo: the data directory has a configuration without a key")
	}
	delivered := l.Receiver.Watch(ctx)
	fmt.Fprintf(c.out, "One process: JetStream on disk, four functions, simulated models, a receiver.\n%d requests go through.\n\n",
		len(demoRequests))
	for n, request := range demoRequests {
		request["callback_url"] = l.URL + local.SinkPath
		if err := show.send(ctx, l, n+1, request); err != nil {
			return fmt.Errorf("demo: request %d: %w", n+1, err)
		}
	}
	verified := map[string]bool{}
	for dlv := range delivered {
		show.delivered(dlv.MessageID, dlv.Verified, dlv.Bytes, dlv.WebhookID)
		if dlv.Verified {
			verified[dlv.MessageID] = true
		}
		if len(verified) == len(demoRequests) {
			break
		}
	}
	id, result := show.last(ctx, l)
	l.Stop() // so that every hop has said its line
	fmt.Fprintf(c.out, "\nWhat was delivered for request %d, and is polled at /v1/inferences/%s:\n%s\n",
		len(demoRequests), id, result)
	fmt.Fprintf(c.out, "\n%d of %d callbacks arrived and their signatures verified.\n", len(verified), len(demoRequests))
	if len(verified) < len(demoRequests) {
		return errSaid
	}
	return nil
}

// journeys prints what happens to each request, as it happens.
type journeys struct {
	out io.Writer

	mu      sync.Mutex
	started map[string]journey
}

type journey struct {
	number int
	began  time.Time
}

// send sends a request and prints the answer to it.
func (j *journeys) send(ctx context.Context, l *local.Local, number int, request map[string]any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	began := time.Now()
	// Nothing of this request is printed before its own first line.
	j.mu.Lock()
	defer j.mu.Unlock()
	accepted, err := post(ctx, l.URL, l.Key, body, "")
	if err != nil {
		return err
	}
	j.started[accepted.MessageID] = journey{number, began}
	j.line(accepted.MessageID, time.Now(), "ingest", fmt.Sprintf("202 accepted: %s for %s", accepted.MessageID, request["model_id"]))
	return nil
}

// settled prints a hop. It waits for the request's first line.
func (j *journeys) settled(s hop.Settled) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := fmt.Sprintf("%s settled as %s", s.In.Type.Step(), s.Outcome.Kind)
	switch {
	case s.Outcome.Kind == hop.Done && s.Hop == events.Callback:
		text = s.In.Type.Step() + " stored and delivered"
	case s.Outcome.Kind == hop.Done && len(s.Out) > 0:
		out := s.Out[0]
		text = fmt.Sprintf("%s -> %s (attempt %d at %s)", s.In.Type.Step(), out.Type.Step(), out.Attempt, out.Target)
		if out.ErrorCode != "" {
			text += ": " + out.ErrorCode
		}
	}
	j.line(s.In.Subject, s.Began.Add(s.Duration), string(s.Hop), fmt.Sprintf("%s in %s", text, milliseconds(s.Duration)))
}

func (j *journeys) delivered(messageID string, verified bool, size int, webhookID string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := "callback received, signature verified"
	if !verified {
		text = "callback received, signature NOT verified"
	}
	j.line(messageID, time.Now(), "receiver", fmt.Sprintf("%s: %d bytes, webhook-id %s", text, size, webhookID))
}

// last returns the last request's message id and result, as it is polled.
func (j *journeys) last(ctx context.Context, l *local.Local) (messageID, result string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, r := range j.started {
		if r.number == len(demoRequests) {
			messageID = id
		}
	}
	body, err := get(ctx, l.URL+"/v1/inferences/"+messageID, l.Key)
	if err != nil {
		return messageID, err.Error()
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, body, "", "  "); err != nil {
		return messageID, err.Error()
	}
	return messageID, pretty.String()
}

// line prints one line of a request's journey. The caller holds the lock.
func (j *journeys) line(messageID string, at time.Time, who, what string) {
	r, ok := j.started[messageID]
	if !ok {
		return // of an earlier run on the same directory
	}
	fmt.Fprintf(j.out, "request %d  +%9s  %-8s  %s\n", r.number, milliseconds(at.Sub(r.began)), who, what)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
