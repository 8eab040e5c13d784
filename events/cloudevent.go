package events

import (
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// CloudEvent returns the event as the official SDK's: for the structured JSON format, and for clients of the SDK.
func (e *Event) CloudEvent() (cloudevents.Event, error) {
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	for name, value := range e.Attributes() {
		switch name {
		case "specversion":
		case "id":
			ce.SetID(e.ID)
		case "source":
			ce.SetSource(e.Source)
		case "type":
			ce.SetType(string(e.Type))
		case "subject":
			ce.SetSubject(e.Subject)
		case "time":
			ce.SetTime(e.Time)
		case "datacontenttype":
			ce.SetDataContentType(e.DataContentType)
		case "dataschema":
			ce.SetDataSchema(e.DataSchema)
		default:
			ce.SetExtension(name, value)
		}
	}
	if e.Data != nil {
		ce.DataEncoded = e.Data
		ce.DataBase64 = e.DataContentType != JSON
	}
	if err := ce.Validate(); err != nil {
		return ce, fmt.Errorf("events: %s as a CloudEvent: %w", e.ID, err)
	}
	return ce, nil
}

// FromCloudEvent returns the official SDK's event as one of this package.
func FromCloudEvent(ce cloudevents.Event) (Event, error) {
	e := Event{
		ID: ce.ID(), Source: ce.Source(), Type: Type(ce.Type()), Subject: ce.Subject(), Time: ce.Time(),
		DataContentType: ce.DataContentType(), DataSchema: ce.DataSchema(), Data: ce.Data(),
	}
	for name, value := range ce.Extensions() {
		switch value.(type) {
		case string, bool, int32:
		default:
			s, err := types.Format(value)
			if err != nil {
				return e, fmt.Errorf("events: attribute %s: %w", name, err)
			}
			value = s
		}
		if err := e.SetAttribute(name, value); err != nil {
			return e, err
		}
	}
	err := e.Validate()
	return e, err
}
