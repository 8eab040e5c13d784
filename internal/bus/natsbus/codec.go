package natsbus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
)

// headerPrefix begins the header of an attribute (CloudEvents NATS binding 1.0, section 3.1.3).
const headerPrefix = "ce-"

// encode returns the event as a message in binary mode (CloudEvents NATS binding 1.0, section 3.1).
func encode(subject string, e *events.Event) *nats.Msg {
	const typical = 24 // attributes, for one allocation instead of one each
	header := make(nats.Header, typical+4)
	values := make([]string, 0, typical)
	for name, value := range e.Attributes() {
		values = append(values, events.EncodeHeader(events.Text(value)))
		last := len(values)
		header[headerName(name)] = values[last-1 : last : last]
	}
	return &nats.Msg{Subject: subject, Header: header, Data: e.Data}
}

// decode reads an event in binary mode, or in structured mode where no header states a version: the official SDK writes
// structured messages without a content type. With an error the event holds what could be read.
func decode(msg *nats.Msg) (events.Event, error) {
	var e events.Event
	var errs []error
	binary := false
	for name, values := range msg.Header {
		attribute, ok := cutPrefixFold(name, headerPrefix)
		switch {
		case len(values) == 0:
		case ok:
			binary = binary || strings.EqualFold(attribute, "specversion")
			if err := e.SetAttribute(strings.ToLower(attribute), events.DecodeHeader(values[0])); err != nil {
				errs = append(errs, err)
			}
		case strings.EqualFold(name, "content-type") && e.DataContentType == "":
			// The SDK's header for the data's type; the binding's is ce-datacontenttype.
			e.DataContentType = values[0]
		}
	}
	if !binary {
		return decodeStructured(msg.Data)
	}
	e.Data = msg.Data
	errs = append(errs, e.Validate())
	return e, errors.Join(errs...)
}

func decodeStructured(data []byte) (events.Event, error) {
	var ce cloudevents.Event
	if err := json.Unmarshal(data, &ce); err != nil {
		return events.Event{}, fmt.Errorf("natsbus: message has no ce-specversion header and is no structured event: %w", err)
	}
	if err := ce.Validate(); err != nil {
		return events.Event{}, fmt.Errorf("natsbus: structured event: %w", err)
	}
	return events.FromCloudEvent(ce)
}

// headerNames spares the concatenation for the names that the chain writes.
var headerNames = func() map[string]string {
	m := map[string]string{}
	for _, name := range events.AttributeNames() {
		m[name] = headerPrefix + name
	}
	return m
}()

func headerName(attribute string) string {
	if name, ok := headerNames[attribute]; ok {
		return name
	}
	return headerPrefix + attribute
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
