package tokens

import (
	"context"
	"time"
)

// Joint joins the pieces that come to a follower with those that are kept, so that each is taken once and in order. What is
// missing before a piece that comes is looked for among those that are kept, and given up if it is not there. Its methods
// are for one goroutine.
type Joint struct {
	Last ID          // of the last piece that was taken, or to go on after
	Take func(Piece) // is called with each piece
	// Kept calls its argument with the pieces that are kept, oldest first. An error means that no more can be had. Nil: none
	// are kept.
	Kept func(ctx context.Context, piece func(Piece)) error

	looked time.Time
}

// lookEvery is how often a follower that misses pieces looks for them: one that cannot keep up must not become a load.
const lookEvery = time.Second

// Add takes a piece that came, unless it or a later one was taken.
func (j *Joint) Add(ctx context.Context, p Piece) {
	if !p.ID.follows(j.Last) && p.ID.Compare(j.Last) > 0 && j.Kept != nil && time.Since(j.looked) >= lookEvery {
		j.look(ctx, p.ID)
	}
	j.pass(p)
}

// look takes what is missing before the piece of the id. A relay may keep a piece a moment after it has handed it on.
func (j *Joint) look(ctx context.Context, id ID) {
	for _, pause := range [...]time.Duration{0, 5 * time.Millisecond, 25 * time.Millisecond} {
		if pause > 0 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		j.Replay(ctx)
		if id.follows(j.Last) || id.Compare(j.Last) <= 0 {
			break
		}
	}
	j.looked = time.Now()
}

// Replay takes the pieces that are kept.
func (j *Joint) Replay(ctx context.Context) {
	if j.Kept != nil {
		_ = j.Kept(ctx, j.pass) // what cannot be had is missing
	}
}

func (j *Joint) pass(p Piece) {
	if p.ID.Compare(j.Last) > 0 {
		j.Last = p.ID
		j.Take(p)
	}
}
