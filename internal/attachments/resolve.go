package attachments

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

// What a caller is told whose request lost something that the store kept for it.
const (
	sentenceMissing = "A part of the request is no longer kept, or was never there."
	sentenceAltered = "A part of the request is not what was accepted."
)

// Resolve returns a handler, of schedule or infer, that is handed events whole: one whose data is in the store gets it from
// there, and what follows from it and has the same data goes out without, as it came. Events that have their data are handed
// on as they are.
//
// Data that is gone, or is not what was accepted, ends the request: infer's attempt fails by it before it is begun, and
// schedule gets the event as that of an attempt which failed so, with as much of a request as a result needs. So whichever of
// the two finds it, it is schedule that says the request failed. A store that is away is [hop.Unavailable].
func Resolve(store objects.Store, handler hop.Handler) hop.Handler {
	if store == nil {
		return handler
	}
	r := resolver{store: store, handler: handler, now: time.Now}
	return r.handle
}

type resolver struct {
	store   objects.Store
	handler hop.Handler
	now     func() time.Time
}

func (r resolver) handle(ctx context.Context, in events.Event) ([]events.Event, error) {
	if in.DataRef == "" || len(in.Data) > 0 {
		return r.handler(ctx, in)
	}
	whole := in
	var err error
	whole.Data, err = load(ctx, r.store, in)
	switch code, message := lost(err); {
	case code != "" && in.Shadow:
		return nil, nil
	case code != "" && in.Type == events.Scheduled:
		return []events.Event{r.attemptFailed(in, code, message)}, nil
	case code != "":
		whole.Type, whole.ErrorCode, whole.ErrorMessage = events.AttemptFailed, code, message
		whole.Data = remainder(in)
	case err != nil:
		return nil, hop.Unavailable(fmt.Errorf("attachments: data of %s: %w", in.ID, err))
	}
	out, err := r.handler(ctx, whole)
	for i := range out {
		if out[i].DataRef != "" {
			out[i].Data = nil
		}
	}
	return out, err
}

// attemptFailed returns the event of an attempt that was not begun.
func (r resolver) attemptFailed(in events.Event, code, message string) events.Event {
	out := in.Next(events.Infer, events.AttemptFailed, in.Attempt, r.now())
	out.ErrorCode, out.ErrorMessage = code, message
	out.Tried = append(slices.Clone(in.Tried), in.Target)
	return out
}

// remainder is what is known of a request whose data is lost, as a request.
func remainder(in events.Event) []byte {
	b, err := json.Marshal(events.Request{RequestID: in.RequestID, ModelID: in.Model})
	if err != nil {
		panic(err) // two strings
	}
	return b
}

// load returns the data of an event from the store.
func load(ctx context.Context, store objects.Store, in events.Event) ([]byte, error) {
	info, content, err := store.Get(ctx, in.DataRef)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if info.Size > MaxBody {
		return nil, fmt.Errorf("%w: it has %d bytes", objects.ErrAltered, info.Size)
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size+bytes.MinRead))
	if _, err := data.ReadFrom(content); err != nil { // to the end, where the store says whether it is what was put
		return nil, err
	}
	if sum := sha256.Sum256(data.Bytes()); hex.EncodeToString(sum[:]) != in.DataDigest {
		return nil, fmt.Errorf("%w: its digest is not the event's", objects.ErrAltered)
	}
	return data.Bytes(), nil
}

// lost returns the code and the sentence of an error that says that an object is not what is needed, and "" for any other.
func lost(err error) (code, message string) {
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return events.CodeDataMissing, sentenceMissing
	case errors.Is(err, objects.ErrAltered):
		return events.CodeDataAltered, sentenceAltered
	default:
		return "", ""
	}
}

// Spool puts a request's data into the store, as the last of its objects, and returns the event as one that refers to it: the
// other end of [Resolve]. The event has no data then, and one object more. On an error it is returned as it was.
func Spool(ctx context.Context, store objects.Store, e events.Event, requestID string, expires time.Time) (events.Event, error) {
	given := e
	e.PartsID = cmp.Or(e.PartsID, NewPartsID())
	key := PartKey(e.PartsID, e.Parts)
	info, err := store.Put(ctx, objects.Info{Key: key, Type: events.JSON, Expires: expires}, bytes.NewReader(e.Data))
	if err != nil {
		return given, err
	}
	return Spooled(e, info, requestID), nil
}

// Spooled returns the event as one whose data is kept as the object, under its own PartsID and behind its other parts.
func Spooled(e events.Event, info objects.Info, requestID string) events.Event {
	e.DataRef, e.DataDigest, e.RequestID = info.Key, info.Digest, requestID
	e.Parts, e.Data = e.Parts+1, nil
	return e
}
