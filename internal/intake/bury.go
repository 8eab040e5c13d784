package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/problem"
)

// RefusedType is the type of a dead letter that was refused at the door. No hop takes it: such a letter cannot be redriven
// past the door. Whoever sent the message mends it and sends it again.
const RefusedType events.Type = "dev.baton.intake.refused.v1"

// letters is the namespace (RFC 9562, section 5.5) of the ids of dead letters, which a repeat must have again.
var letters = uuid.MustParse("0c6d1d52-6f0c-5b0e-9f55-0d6f0d7c7a04")

const (
	maxDetail = 1024 // bytes of a dead letter's detail, as in package hop
	maxOrigin = 256  // bytes of what the message said of itself
)

// bury stores the dead letter of a message that will never be taken. Where the transport has no room for the message's own
// bytes, the letter goes without.
func (t *Taker) bury(ctx context.Context, of *catalog.Tenant, d Delivery, p *problem.Problem) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	letter := t.letter(of, d, p)
	err := t.cfg.Publisher.Publish(ctx, letter)
	if errors.Is(err, hop.ErrTooLarge) {
		letter.Dead.Detail = bounded(fmt.Sprintf("%s (its %d bytes are not kept)", letter.Dead.Detail, len(d.Data)), maxDetail)
		letter.Data = nil
		err = t.cfg.Publisher.Publish(ctx, letter)
	}
	return err
}

func (t *Taker) letter(of *catalog.Tenant, d Delivery, p *problem.Problem) events.Event {
	now := t.cfg.Now().UTC()
	e := events.Event{
		ID: "refused-" + uuid.NewSHA1(letters, []byte(of.Name+"\x00"+d.ID)).String(), Source: "/baton/" + string(events.Ingest),
		Type: RefusedType, Time: now, DataContentType: events.JSON, Tenant: of.Name,
		ErrorCode: strings.TrimPrefix(p.Type, problem.TypePrefix), Data: d.Data,
		Extra: map[string]any{"place": plain(d.Where)},
	}
	if len(d.Data) == 0 {
		e.DataContentType = ""
	}
	for name, attribute := range map[string]string{"originid": "id", "originsource": "source"} {
		if v := plain(d.Attributes[attribute]); v != "" {
			e.Extra[name] = v
		}
	}
	return e.AsDead(events.DeadLetter{Hop: events.Ingest, Reason: events.ReasonRefused, Detail: detail(p), Time: now})
}

// detail says what was wrong, field by field. It is what a caller over HTTP would be told.
func detail(p *problem.Problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Title, p.Detail)
	for _, f := range p.Errors {
		at := f.Pointer
		if f.Header != "" {
			at = f.Header
		}
		fmt.Fprintf(&b, " %s %s;", at, f.Detail)
	}
	return bounded(strings.TrimSuffix(b.String(), ";"), maxDetail)
}

// plain returns the text as an attribute can hold it.
func plain(s string) string {
	return bounded(strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return -1
		}
		return c
	}, s), maxOrigin)
}

func bounded(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}
