package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"baton.dev/baton/events"
)

type sendCommand struct {
	Prompt   string `arg:"" help:"What to ask."`
	URL      string `help:"Address of the chain." default:"http://${listen}" env:"BATON_URL"`
	Key      string `help:"Key of the tenant." env:"BATON_KEY"`
	Data     string `help:"Data directory of a local chain, to take its key from." type:"path"`
	Model    string `help:"Model to ask." default:"gpt-4-turbo"`
	Priority string `help:"high, normal or low." enum:"high,normal,low," default:""`
	Callback string `help:"Where the result is delivered."`
	Wait     bool   `help:"Wait up to a minute for the result and print it; exit 1 unless it is completed." xor:"answer"`
	Stream   bool   `help:"Print the answer as it is made, and on stderr what it came to; exit 1 unless completed." xor:"answer"`
}

func (s sendCommand) Run(ctx context.Context, c *console) error {
	key := s.Key
	if key == "" && s.Data != "" {
		b, err := os.ReadFile(filepath.Join(s.Data, "key"))
		if err != nil {
			return fmt.Errorf("send: key: %w", err)
		}
		key = strings.TrimSpace(string(b))
	}
	if key == "" {
		return errors.New("send: no key: set BATON_KEY or --key, or name a local chain's --data directory")
	}
	request := map[string]any{"model_id": s.Model, "prompt": s.Prompt}
	if s.Priority != "" {
		request["priority"] = s.Priority
	}
	if s.Callback != "" {
		request["callback_url"] = s.Callback
	}
	if s.Stream {
		request["stream"] = true
	}
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	prefer := ""
	if s.Wait {
		prefer = "wait=60"
	}
	a, err := post(ctx, strings.TrimSuffix(s.URL, "/"), key, body, prefer)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if s.Stream {
		return s.stream(ctx, c, a.MessageID, key)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, a.body, "", "  "); err != nil {
		return fmt.Errorf("send: answer: %w", err)
	}
	fmt.Fprintln(c.out, pretty.String())
	if s.Wait && a.Status != string(events.StatusCompleted) {
		return errSaid
	}
	return nil
}
