package events

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
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

// MostCallbacks is how many receivers a request may name beside its callback URL.
const MostCallbacks = 8

// Copies returns the copies of e that are delivered, one for each receiver that wants to be told of events of its type. The
// receivers of a request are numbered from 1: its callback URL, if there is one, which wants to be told how it ended, and
// then those of Callbacks in their order. So a receiver has the same number whatever it is told, and a copy that is made
// again has the same id.
func (e Event) Copies() ([]Event, error) {
	list, err := DecodeCallbacks(e.Callbacks)
	if err != nil {
		return nil, err
	}
	if e.CallbackURL != "" {
		list = slices.Insert(list, 0, CallbackRequest{URL: e.CallbackURL, Events: []string{Completed.Step(), Failed.Step()}})
	}
	var copies []Event
	for i, c := range list {
		if slices.Contains(c.Events, e.Type.Step()) {
			copies = append(copies, e.For(i+1, c.URL))
		}
	}
	return copies, nil
}

// For returns the copy of e that is delivered to one receiver of several, the nth from 1. It has nothing of the request but
// what tells the receiver which it is.
func (e Event) For(n int, to string) Event {
	e.ID = fmt.Sprintf("%s-to-%d", e.ID, n)
	e.Subscriber, e.CallbackURL, e.Callbacks = n, to, ""
	e.Tries, e.Copy, e.NotBefore = 0, 0, time.Time{}
	e.CacheKey, e.Parts, e.PartsID, e.Stream = "", 0, "", false
	return e
}
