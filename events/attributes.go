package events

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
)

// attribute binds the name of a CloudEvents attribute to its field: get returns nil when it is absent, and set takes a
// value as a transport hands it over, an int32, a bool or a string.
type attribute struct {
	name string
	get  func(*Event) any
	set  func(*Event, any) error
}

// attributes is the one table of attributes that have a field, in the order in which they are written.
var attributes = []attribute{
	{"specversion", func(*Event) any { return SpecVersion }, setSpecVersion},
	text("id", func(e *Event) *string { return &e.ID }),
	text("source", func(e *Event) *string { return &e.Source }),
	text("type", func(e *Event) *string { return (*string)(&e.Type) }),
	text("subject", func(e *Event) *string { return &e.Subject }),
	moment("time", func(e *Event) *time.Time { return &e.Time }),
	text("datacontenttype", func(e *Event) *string { return &e.DataContentType }),
	text("dataschema", func(e *Event) *string { return &e.DataSchema }),
	text("tenant", func(e *Event) *string { return &e.Tenant }),
	text("priority", func(e *Event) *string { return (*string)(&e.Priority) }),
	text("model", func(e *Event) *string { return &e.Model }),
	text("target", func(e *Event) *string { return &e.Target }),
	integer("attempt", func(e *Event) *int { return &e.Attempt }),
	integer("begun", func(e *Event) *int { return &e.Begun }),
	{"tried", getTried, setTried},
	text("callbackurl", func(e *Event) *string { return &e.CallbackURL }),
	text("cachekey", func(e *Event) *string { return &e.CacheKey }),
	text("errorcode", func(e *Event) *string { return &e.ErrorCode }),
	text("errormessage", func(e *Event) *string { return &e.ErrorMessage }),
	moment("acceptedtime", func(e *Event) *time.Time { return &e.Accepted }),
	text("run", func(e *Event) *string { return &e.Run }),
	moment("expirytime", func(e *Event) *time.Time { return &e.Expiry }),
	text("correlationid", func(e *Event) *string { return &e.CorrelationID }),
	text("causationid", func(e *Event) *string { return &e.CausationID }),
	text("traceparent", func(e *Event) *string { return &e.TraceParent }),
	text("tracestate", func(e *Event) *string { return &e.TraceState }),
	integer("hops", func(e *Event) *int { return &e.Hops }),
	integer("tries", func(e *Event) *int { return &e.Tries }),
	integer("copy", func(e *Event) *int { return &e.Copy }),
	moment("notbefore", func(e *Event) *time.Time { return &e.NotBefore }),
	flag("apart", func(e *Event) *bool { return &e.Apart }),
	flag("stream", func(e *Event) *bool { return &e.Stream }),
	integer("parts", func(e *Event) *int { return &e.Parts }),
	text("partsid", func(e *Event) *string { return &e.PartsID }),
	text("dataref", func(e *Event) *string { return &e.DataRef }),
	text("datadigest", func(e *Event) *string { return &e.DataDigest }),
	text("requestid", func(e *Event) *string { return &e.RequestID }),
	text("callbacks", func(e *Event) *string { return &e.Callbacks }),
	integer("subscriber", func(e *Event) *int { return &e.Subscriber }),
	flag("shadow", func(e *Event) *bool { return &e.Shadow }),
	dead("deadhop", func(d *DeadLetter) *string { return (*string)(&d.Hop) }),
	dead("deadreason", func(d *DeadLetter) *string { return (*string)(&d.Reason) }),
	dead("deaddetail", func(d *DeadLetter) *string { return &d.Detail }),
	{"deadtime", getDeadTime, setDeadTime},
}

var attributeByName = func() map[string]attribute {
	m := make(map[string]attribute, len(attributes))
	for _, a := range attributes {
		m[a.name] = a
	}
	return m
}()

// Attributes yields the event's context attributes that are present, the extensions without a field last and in no order.
// A value is a string, an int32 or a bool; times are RFC 3339 in UTC.
func (e *Event) Attributes() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for i := range attributes {
			if v := attributes[i].get(e); v != nil && !yield(attributes[i].name, v) {
				return
			}
		}
		for name, v := range e.Extra {
			if !yield(name, v) {
				return
			}
		}
	}
}

// SetAttribute sets the context attribute with the name, from a value as a transport hands it over: a string, which may be
// the canonical text of another type, an int32 or a bool. An unknown name goes into Extra. The error says what is wrong
// with the value.
func (e *Event) SetAttribute(name string, value any) error {
	if a, ok := attributeByName[name]; ok {
		if err := a.set(e, value); err != nil {
			return fmt.Errorf("events: attribute %s: %w", name, err)
		}
		return nil
	}
	if !validName(name) {
		return fmt.Errorf("events: attribute %q: a name is 1 to 20 of a-z and 0-9", name)
	}
	switch value.(type) {
	case string, bool, int32:
	default:
		return fmt.Errorf("events: attribute %s: has the type %T: want a string, a bool or an int32", name, value)
	}
	if e.Extra == nil {
		e.Extra = map[string]any{}
	}
	e.Extra[name] = value
	return nil
}

// Validate reports what a CloudEvent must have and the event has not.
func (e *Event) Validate() error {
	var missing []string
	for name, v := range map[string]string{"id": e.ID, "source": e.Source, "type": string(e.Type)} {
		if v == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("events: required attribute missing: %s", strings.Join(missing, ", "))
	}
	return nil
}

// Text returns an attribute's value in its canonical text (CloudEvents 1.0, section 3.1).
func Text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int32:
		return strconv.Itoa(int(v))
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}

func validName(name string) bool {
	if name == "" || len(name) > 20 {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func text(name string, field func(*Event) *string) attribute {
	return attribute{
		name,
		func(e *Event) any {
			if s := *field(e); s != "" {
				return s
			}
			return nil
		},
		func(e *Event, v any) error {
			*field(e) = Text(v)
			return nil
		},
	}
}

func integer(name string, field func(*Event) *int) attribute {
	return attribute{
		name,
		func(e *Event) any {
			if n := *field(e); n != 0 {
				return int32(n) // bounded by setting, and by the limits of attempts and tries
			}
			return nil
		},
		func(e *Event, v any) error {
			n, err := strconv.ParseInt(Text(v), 10, 32)
			if err != nil || n < 0 || n > math.MaxInt32 {
				return fmt.Errorf("%q is no whole number from 0 to %d", Text(v), math.MaxInt32)
			}
			*field(e) = int(n)
			return nil
		},
	}
}

func flag(name string, field func(*Event) *bool) attribute {
	return attribute{
		name,
		func(e *Event) any {
			if *field(e) {
				return true
			}
			return nil
		},
		func(e *Event, v any) (err error) {
			if *field(e), err = strconv.ParseBool(Text(v)); err != nil {
				return fmt.Errorf("%q is no boolean: want true or false", Text(v))
			}
			return nil
		},
	}
}

func moment(name string, field func(*Event) *time.Time) attribute {
	return attribute{
		name,
		func(e *Event) any { return formatTime(*field(e)) },
		func(e *Event, v any) (err error) {
			*field(e), err = parseTime(v)
			return err
		},
	}
}

func formatTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func parseTime(v any) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, Text(v))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no RFC 3339 time", Text(v))
	}
	return t, nil
}

func setSpecVersion(_ *Event, v any) error {
	if Text(v) != SpecVersion {
		return fmt.Errorf("%q is not supported: want %s", Text(v), SpecVersion)
	}
	return nil
}

func getTried(e *Event) any {
	if len(e.Tried) == 0 {
		return nil
	}
	return strings.Join(e.Tried, ",")
}

func setTried(e *Event, v any) error {
	e.Tried = nil
	if s := Text(v); s != "" {
		e.Tried = strings.Split(s, ",")
	}
	return nil
}

// dead binds an attribute that only dead letters have.
func dead(name string, field func(*DeadLetter) *string) attribute {
	return attribute{
		name,
		func(e *Event) any {
			if e.Dead == nil || *field(e.Dead) == "" {
				return nil
			}
			return *field(e.Dead)
		},
		func(e *Event, v any) error {
			*field(e.deadLetter()) = Text(v)
			return nil
		},
	}
}

func getDeadTime(e *Event) any {
	if e.Dead == nil {
		return nil
	}
	return formatTime(e.Dead.Time)
}

func setDeadTime(e *Event, v any) (err error) {
	e.deadLetter().Time, err = parseTime(v)
	return err
}

// deadLetter returns the event's own dead letter, made if need be.
func (e *Event) deadLetter() *DeadLetter {
	if e.Dead == nil {
		e.Dead = &DeadLetter{}
	}
	return e.Dead
}

// AttributeNames returns the names of all attributes that have a field.
func AttributeNames() []string {
	names := make([]string, len(attributes))
	for i, a := range attributes {
		names[i] = a.name
	}
	return names
}
