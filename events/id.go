package events

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// namespace is the UUID namespace (RFC 9562, section 5.5) of message ids. It must never change: it is what makes a repeated
// request the same message.
var namespace = uuid.MustParse("5c6cfd0e-61a5-5d6e-8f0b-0a6a3c7e5b11")

// MessageID returns the id of a tenant's request: a UUID of version 5, so that the same request of the same tenant is the
// same message, whoever asks and whenever.
func MessageID(tenant, requestID string) string {
	return uuid.NewSHA1(namespace, []byte(tenant+"\x00"+requestID)).String()
}

// eventID returns the id of a step: deterministic from message, type and attempt. It has no '.', which the Standard
// Webhooks signature uses as its separator, and is one token of a NATS subject.
func eventID(messageID string, t Type, attempt int) string {
	return messageID + "-" + t.Step() + "-" + strconv.Itoa(attempt)
}

// Step returns the type's own word: requested, scheduled, attempt_failed, completed or failed; for a type that is not of
// the chain, the whole type.
func (t Type) Step() string {
	s, ok := strings.CutPrefix(string(t), "dev.baton.inference.")
	if !ok {
		return string(t)
	}
	return strings.TrimSuffix(s, ".v1")
}

// StorageID identifies the stored copy of the event, for a broker that stores a copy once: the event's id, and after it
// the number of the copy, for an event that was put back for another try or redriven.
func (e Event) StorageID() string {
	if e.Copy == 0 {
		return e.ID
	}
	return e.ID + "~" + strconv.Itoa(e.Copy)
}

// New returns the first event of a request's way: requested, from ingest. One that is published again, later, has the same
// id and another run.
func New(tenant string, r Request, priority Priority, body []byte, now, deadline time.Time) Event {
	id := MessageID(tenant, r.RequestID)
	return Event{
		ID: eventID(id, Requested, 0), Source: source(Ingest), Type: Requested, Subject: id, Time: now,
		DataContentType: JSON, DataSchema: SchemaURI,
		Tenant: tenant, Priority: priority, Model: r.ModelID, CallbackURL: r.CallbackURL,
		Stream: r.Stream, Callbacks: EncodeCallbacks(r.Callbacks),
		Accepted: now, Run: strconv.FormatInt(now.UnixNano(), 36), Expiry: deadline, CorrelationID: id, Data: body,
	}
}

// Next returns the event that follows e when hop emits type t about the given attempt: it has the id of that step, is
// caused by e, and carries on what belongs to the request. The data stays e's; the caller replaces it on a terminal event.
func (e Event) Next(hop Hop, t Type, attempt int, now time.Time) Event {
	next := e
	next.ID = eventID(e.Subject, t, attempt)
	next.Source = source(hop)
	next.Type = t
	next.Time = now
	next.Attempt = attempt
	next.CausationID = e.ID
	next.Hops = e.Hops + 1
	next.Tries, next.Copy, next.NotBefore = 0, 0, time.Time{}
	next.ErrorCode, next.ErrorMessage = "", ""
	next.Dead, next.Apart, next.Shadow = nil, false, false
	if t == Completed || t == Failed {
		next.DataSchema = ResultSchemaURI
		next.DataRef, next.DataDigest, next.RequestID = "", "", "" // the data is the result, and is here
	}
	return next
}

// AsShadow returns the copy of a scheduled event that goes to the target as a shadow, not after the given time. It has an id
// of its own, made from e's.
func (e Event) AsShadow(target string, expiry time.Time) Event {
	e.ID += "-shadow"
	e.Shadow, e.Target, e.Expiry = true, target, expiry
	e.CallbackURL, e.CacheKey, e.NotBefore, e.Apart = "", "", time.Time{}, false
	return e
}

// Parked returns e as it is stored to wait until the given time. No try is counted.
func (e Event) Parked(until time.Time) Event {
	e.Copy++
	e.NotBefore = until
	return e
}

// Again returns e as it is stored for another try, not before the given time.
func (e Event) Again(notBefore time.Time) Event {
	e.Tries++
	e.Copy++
	e.NotBefore = notBefore
	return e
}

// Anew returns e as it is stored another time, as it is.
func (e Event) Anew() Event {
	e.Copy++
	return e
}

// AsDead returns e as the dead letter it becomes. It keeps its id.
func (e Event) AsDead(d DeadLetter) Event {
	e.Dead = &d
	e.NotBefore = time.Time{}
	return e
}

// Redrive returns a dead letter as the event it was, to be tried from the start under the same id.
func (e Event) Redrive() Event {
	e.Dead = nil
	e.Tries = 0
	e.Copy++
	return e
}

func source(h Hop) string { return "/baton/" + string(h) }
