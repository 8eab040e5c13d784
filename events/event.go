package events

import (
	"time"
)

// Type is the CloudEvents type of an event of the chain.
type Type string

// The types of the chain. Version 1 is part of the name: a change that an old reader would misread is a new type.
const (
	Requested     Type = "dev.baton.inference.requested.v1"
	Scheduled     Type = "dev.baton.inference.scheduled.v1"
	AttemptFailed Type = "dev.baton.inference.attempt_failed.v1"
	Completed     Type = "dev.baton.inference.completed.v1"
	Failed        Type = "dev.baton.inference.failed.v1"
	BatchStep     Type = "dev.baton.inference.batch.v1" // of a batch of requests, beside their own chains
)

// SpecVersion is the CloudEvents version that every event states.
const SpecVersion = "1.0"

// JSON is the content type of every event that the chain makes itself.
const JSON = "application/json"

// SchemaPath is where the schema of the unified request is served.
const SchemaPath = "/schemas/inference-request.json"

// SchemaURI is the schema's own id, and the dataschema of request events, which must be an absolute URI.
const SchemaURI = "https://baton.dev" + SchemaPath

// Event is a CloudEvent 1.0 with the extensions that the chain routes and decides by as fields of their own, so that no
// hop decodes the data to do so. The zero value of a field means that the attribute is absent.
//
// An Event is a value: a hop never changes the one it was given, and Tried, Extra and Data are shared between copies and
// must not be written to. [Event.Next] makes the event that follows.
type Event struct {
	ID      string
	Source  string
	Type    Type
	Subject string // the message id
	Time    time.Time

	DataContentType string
	DataSchema      string

	Tenant        string
	Priority      Priority
	Model         string
	Target        string
	Attempt       int // the attempt at a model this event is about, from 1; 0 before the first
	Begun         int // the attempts so far that were begun: in which a model was called
	Tried         []string
	CallbackURL   string
	CacheKey      string
	ErrorCode     string
	ErrorMessage  string    // what the caller may be told beside ErrorCode; bounded, and never a provider's secret
	Accepted      time.Time // when ingest first accepted the request
	Run           string    // tells apart the events of a request that was published more than once
	Expiry        time.Time // the deadline; the official expirytime extension
	CorrelationID string    // the message id
	CausationID   string    // the id of the event that caused this one
	TraceParent   string
	TraceState    string

	Hops      int       // events since ingest; guards against loops
	Tries     int       // how often this event's hop has tried it and asked for another try; 0 at first
	Copy      int       // how often this event was stored anew, for another try or by a redrive; 0 at first
	NotBefore time.Time // a hop that receives the event earlier puts it back until then

	// Apart says that a scheduled event waits in its tenant's own lane, since the target's lane is crowded.
	Apart bool
	// Stream says that the caller wants the answer while it is made, beside the chain.
	Stream bool
	// Parts is how many objects are kept for the request, by their numbers from 0: parts that were taken out of it, and the
	// last may be the request itself. They are removed after the terminal event.
	Parts int
	// PartsID is where they are kept.
	PartsID string
	// DataRef is where the data is, if it is not in the event: a claim check (the CloudEvents extension dataref). DataDigest
	// is the data's SHA-256 in hex, and RequestID the caller's id of the request, which a result needs though the data be lost.
	DataRef, DataDigest, RequestID string
	// Callbacks is who else is told what becomes of the request, as [EncodeCallbacks] writes them.
	Callbacks string
	// Subscriber marks the copy of an event that callback delivers to one receiver of several, by its number from 1.
	Subscriber int

	// Shadow marks a copy of a scheduled event that goes to a target only to see how it does: it is called once, its result is
	// dropped, and nothing follows from it.
	Shadow bool

	Dead *DeadLetter // set on a dead letter only

	// Extra holds the extension attributes this package has no field for, by name. A value is a string, a bool or an int32;
	// a transport that carries attributes as text hands bool and int32 back in their canonical text (CloudEvents 1.0,
	// section 3.1 "Type System").
	Extra map[string]any

	Data []byte
}
