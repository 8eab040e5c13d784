// Package attachments lets large parts of requests, and large requests, travel by reference: a claim check. What is taken out
// of a body at the door stands in the object store, and the body has a [Reference] in its place; what a model gets has the
// part again.
//
//	[Take]     at the door: parts of a body into the store, as the body is read
//	[Spool]    at the door: a request into the store that is too large for an event all the same
//	[Resolve]  around schedule and infer: the data of an event that is in the store
//	[Expander] in infer: the parts back into the messages that a model gets, as they are read
//	[Clean]    in callback: the objects of a request that has ended
//
// Nothing here holds a part in memory. A file that a caller uploaded is an object, too ([File]), of which messages hold the id.
package attachments

import (
	"context"
	"crypto/rand"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/objects"
)

// MaxBody is the most bytes of a request that are kept as one object, and are then held in memory by each hop: with what was
// taken out of it not counted.
const MaxBody = 8 << 20

// PartKey returns the key of the object that a request's part is, by its number.
func PartKey(partsID string, n int) string { return "parts/" + partsID + "/" + strconv.Itoa(n) }

// NewPartsID returns where the objects of a request are kept, which nobody can guess.
func NewPartsID() string { return rand.Text() }

// cleanTimeout bounds a removal, for which nobody waits. What it does not remove expires.
const cleanTimeout = 15 * time.Second

// cleanAtOnce bounds how many objects are removed at once.
const cleanAtOnce = 8

// Discard removes the objects of a request. It goes on for a while after ctx is done. An error says that some may be left:
// they expire.
func Discard(ctx context.Context, store objects.Store, partsID string, parts int) error {
	if store == nil || parts == 0 || partsID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()
	var group errgroup.Group // without its context: one that cannot be removed is no ground to leave the others
	group.SetLimit(cleanAtOnce)
	for n := range parts {
		group.Go(func() error { return store.Delete(ctx, PartKey(partsID, n)) })
	}
	return group.Wait()
}

// Clean removes the objects of a request whose terminal event has been written down: never before, since a repeat of what
// made the event needs them. It is for completed and failed events; the copies for further receivers, and other events, have
// nothing to remove. The objects of a request that was canceled before it began have no such event: whoever cancels removes them.
func Clean(ctx context.Context, store objects.Store, e events.Event) error {
	if e.Subscriber > 0 || e.Type != events.Completed && e.Type != events.Failed {
		return nil
	}
	return Discard(ctx, store, e.PartsID, e.Parts)
}
