package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"

	"baton.dev/baton/events"
)

const (
	// streamAgain is the pause before a stream that broke off is asked for again.
	streamAgain = time.Second
	// streamTries is how often in a row it is that gives nothing: about as long as a chain takes to be started anew.
	streamTries = 30
)

// reading is an answer that is printed as it is made.
type reading struct {
	c    *console
	last string // the id of the last event that has one
	text string // what is printed of the answer
	told bool   // the last asking gave something
}

// stream prints the answer to the request as it is made, and then, beside it, what it came to. A stream that breaks off goes on
// after the last event that it had.
func (s sendCommand) stream(ctx context.Context, c *console, messageID, key string) error {
	r := &reading{c: c}
	url := strings.TrimSuffix(s.URL, "/") + "/v1/inferences/" + messageID + "/stream"
	for tries := 0; ; tries++ {
		r.told = false
		result, err := r.read(ctx, url, key)
		switch {
		case err == nil && result != nil:
			return r.end(*result)
		case ctx.Err() != nil:
			return fmt.Errorf("send: %s: %w", messageID, ctx.Err())
		case r.told:
			tries = 0
		case tries == streamTries, errors.Is(err, errRefused):
			return fmt.Errorf("send: stream of %s: %w", messageID, errors.Join(err, errors.New("the request goes on")))
		}
		select {
		case <-time.After(streamAgain):
		case <-ctx.Done():
		}
	}
}

// errRefused says that asking again is of no use.
var errRefused = errors.New("refused")

// read reads the stream until it ends. Without a result it was cut off.
func (r *reading) read(ctx context.Context, url, key string) (*events.Result, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Accept", "text/event-stream")
	if r.last != "" {
		req.Header.Set("Last-Event-ID", r.last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("answered %d", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: answered %d", errRefused, resp.StatusCode)
	}
	for e, err := range sse.Read(resp.Body, &sse.ReadConfig{MaxEventSize: maxAnswer}) {
		if err != nil {
			return nil, err
		}
		result, err := r.take(e)
		if result != nil || err != nil {
			return result, err
		}
	}
	return nil, nil //nolint:nilnil // it was cut off, which is no error of it
}

// take prints a piece, or returns the result.
func (r *reading) take(e sse.Event) (*events.Result, error) {
	r.last, r.told = e.LastEventID, true
	switch e.Type {
	case "delta":
		var d struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(e.Data), &d); err != nil {
			return nil, fmt.Errorf("a piece is not understood: %w", err)
		}
		r.print(d.Text)
	case "restart":
		r.anew("the model began anew")
	case "result":
		var result events.Result
		if err := json.Unmarshal([]byte(e.Data), &result); err != nil {
			return nil, fmt.Errorf("%w: the result is not understood: %w", errRefused, err)
		}
		return &result, nil
	}
	return nil, nil //nolint:nilnil // there is more to come
}

func (r *reading) print(text string) {
	r.text += text
	fmt.Fprint(r.c.out, text)
}

// anew says why what is printed is void, if anything is.
func (r *reading) anew(why string) {
	if r.text == "" {
		return
	}
	fmt.Fprintln(r.c.out)
	fmt.Fprintf(r.c.err, "baton: %s: what is above is void\n", why)
	r.text = ""
}

// end prints what is left of the answer, which is all of it where the model does not stream, and what it came to.
func (r *reading) end(result events.Result) error {
	rest, begun := strings.CutPrefix(result.Output, r.text)
	if !begun && result.Status == events.StatusCompleted {
		r.anew("pieces were lost")
		rest = result.Output
	}
	r.print(rest)
	if r.text != "" {
		fmt.Fprintln(r.c.out)
	}
	line := fmt.Sprintf("%s %s", result.MessageID, result.Status)
	if u := result.Usage; u != nil {
		line += fmt.Sprintf(", %d tokens in and %d out", u.PromptTokens, u.CompletionTokens)
	}
	if e := result.Error; e != nil {
		line += fmt.Sprintf(", %s: %s", e.Code, e.Message)
	}
	fmt.Fprintln(r.c.err, line)
	if result.Status != events.StatusCompleted {
		return errSaid
	}
	return nil
}
