package events

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// EncodeCallbacks writes receivers as an attribute's value: "completed+failed=URL", separated by spaces, which no URL has.
// A receiver that names no events gets completed and failed.
func EncodeCallbacks(list []CallbackRequest) string {
	var b strings.Builder
	for i, c := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		wanted := c.Events
		if len(wanted) == 0 {
			wanted = []string{Completed.Step(), Failed.Step()}
		}
		b.WriteString(strings.Join(wanted, "+"))
		b.WriteByte('=')
		b.WriteString(c.URL)
	}
	return b.String()
}

// DecodeCallbacks reads what [EncodeCallbacks] wrote.
func DecodeCallbacks(s string) ([]CallbackRequest, error) {
	var list []CallbackRequest
	for word := range strings.FieldsSeq(s) {
		wanted, to, ok := strings.Cut(word, "=")
		if _, err := url.Parse(to); !ok || err != nil {
			return nil, errors.New("events: callbacks: want EVENT+EVENT=URL, separated by spaces")
		}
		c := CallbackRequest{URL: to, Events: strings.Split(wanted, "+")}
		for _, w := range c.Events {
			if !slices.Contains(Subscribable(), w) {
				return nil, fmt.Errorf("events: callbacks: there is no event %q to be told of", w)
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// Subscribable returns the events that a caller can be told of.
func Subscribable() []string { return []string{Completed.Step(), Failed.Step(), AttemptFailed.Step()} }

// For returns the copy of e that is delivered to one receiver of several, the nth from 1.
func (e Event) For(n int, to string) Event {
	e.ID = fmt.Sprintf("%s-to-%d", e.ID, n)
	e.Subscriber, e.CallbackURL, e.Callbacks = n, to, ""
	e.Tries, e.Copy = 0, 0
	return e
}
