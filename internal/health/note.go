package health

import (
	"context"
	"log/slog"
)

// note is a change to be logged: once, by the process that made it in the shared record, or by each that saw it while the
// store was away.
type note struct {
	target string
	change
}

func notesOf(target string, changes []change) []note {
	notes := make([]note, len(changes))
	for i, c := range changes {
		notes[i] = note{target, c}
	}
	return notes
}

// untold returns the changes that an observation of the batch made and that were not logged before.
func untold(target string, changes []change, batch []observation) []note {
	var notes []note
	for _, c := range changes {
		if !batch[c.by].told {
			notes = append(notes, note{target, c})
		}
	}
	return notes
}

func (b *Board) log(notes []note) {
	for _, n := range notes {
		attrs := []slog.Attr{slog.String("target", n.target)}
		if n.out != nil {
			attrs = append(attrs, slog.String("reason", n.reason), slog.String("configuration", n.out.Fingerprint),
				slog.Float64("attempts", n.out.Canary.Attempts), slog.Float64("failures", n.out.Canary.Failures),
				slog.Float64("stable_attempts", n.out.Stable.Attempts), slog.Float64("stable_failures", n.out.Stable.Failures))
			b.c.Log.LogAttrs(context.Background(), slog.LevelWarn, "canary is rolled back", attrs...)
			continue
		}
		attrs = append(attrs, slog.String("from", string(n.from)), slog.String("reason", n.reason))
		switch n.to {
		case Open:
			attrs = append(attrs, slog.Time("until", n.until))
			b.c.Log.LogAttrs(context.Background(), slog.LevelWarn, "breaker opened", attrs...)
		case HalfOpen:
			b.c.Log.LogAttrs(context.Background(), slog.LevelInfo, "breaker is half-open", attrs...)
		case Closed:
			b.c.Log.LogAttrs(context.Background(), slog.LevelInfo, "breaker closed", attrs...)
		}
	}
}
