// Package tokens carries the pieces of answers from where a model makes them to whoever follows, beside the chain: what is
// lost of them costs immediacy and nothing else, since the result is delivered whole.
package tokens

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ID is the place of a piece in the answers to one request. Later attempts, and later executions of an attempt that was
// repeated, come after earlier ones: a piece of a later one means that what came before is void.
type ID struct {
	Attempt int   `json:"attempt"` // of the request, from 1
	Token   int64 `json:"token"`   // the fencing token of the attempt's execution
	N       int   `json:"n"`       // of the piece in the execution, from 0
}

// Compare orders ids.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Attempt, other.Attempt), cmp.Compare(id.Token, other.Token), cmp.Compare(id.N, other.N))
}

// Supersedes reports whether the id is of a later execution than the other.
func (id ID) Supersedes(other ID) bool {
	return cmp.Or(cmp.Compare(id.Attempt, other.Attempt), cmp.Compare(id.Token, other.Token)) > 0
}

// String returns the id as it stands in a stream of server-sent events, such as 1.1.0.
func (id ID) String() string { return fmt.Sprintf("%d.%d.%d", id.Attempt, id.Token, id.N) }

// MarshalText implements encoding.TextMarshaler: an id is a text in JSON as well, and no object.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// follows reports whether the id is that of the piece right after the one of the other, or the first of a later execution.
func (id ID) follows(other ID) bool {
	if id.Supersedes(other) {
		return id.N == 0
	}
	return id.N == other.N+1
}

// ParseID reads what String wrote.
func ParseID(s string) (ID, error) {
	var id ID
	words := strings.Split(s, ".")
	if len(words) != 3 {
		return id, errors.New("tokens: an id is three numbers with dots between them")
	}
	attempt, err1 := strconv.Atoi(words[0])
	token, err2 := strconv.ParseInt(words[1], 10, 64)
	n, err3 := strconv.Atoi(words[2])
	if errors.Join(err1, err2, err3) != nil || attempt < 0 || token < 0 || n < 0 {
		return id, errors.New("tokens: an id is three numbers with dots between them")
	}
	return ID{attempt, token, n}, nil
}

// Piece is what a model made of an answer at once.
type Piece struct {
	ID      ID              `json:"id"`
	Text    string          `json:"text,omitempty"`    // what it adds to the output
	Choices json.RawMessage `json:"choices,omitempty"` // the choices of a chunk, as OpenAI shapes them
}

// MaxPiece is how many bytes of a piece a relay carries at most, encoded: many times what a model makes at once, and so few
// that followers who do not keep up cannot hold much.
const MaxPiece = 64 << 10

var errTooLarge = fmt.Errorf("tokens: the piece is larger than %d bytes", MaxPiece)

// Encode returns the piece as relays carry it, or why they do not.
func (p Piece) Encode() ([]byte, error) {
	if len(p.Text)+len(p.Choices) > MaxPiece {
		return nil, errTooLarge
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("tokens: encode piece %s: %w", p.ID, err)
	}
	if len(b) > MaxPiece {
		return nil, errTooLarge
	}
	return b, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Piece, error) {
	var p Piece
	if err := json.Unmarshal(b, &p); err != nil {
		return Piece{}, fmt.Errorf("tokens: decode piece: %w", err)
	}
	return p, nil
}

// Relay is what carries pieces. It must be safe for concurrent use.
type Relay interface {
	// Send hands on a piece of the request's answer, and keeps nothing of it. It does not wait, and what cannot be handed on
	// is lost, as is a piece above [MaxPiece]. Pieces of one execution that are not lost arrive in order.
	Send(messageID string, p Piece)
	// Follow calls take for the request's pieces after the given id (the zero ID: for all), as they come, with those that were
	// sent before and are still kept first, from one goroutine. Each has a higher id than the one before it: pieces of an
	// execution that a later one has superseded may be left out, and so are those that a slow follower has not kept up with.
	// It calls ready, if set, once no piece that is sent from then on is missed for having come too early.
	//
	// It returns nil when ctx is done, after it has taken what had come by then, which it waits for no longer than [Grace]; or
	// an error when the relay cannot be followed.
	Follow(ctx context.Context, messageID string, after ID, ready func(), take func(Piece)) error
}

// Grace bounds how long pieces that are on their way are waited for when a follower ends. It is as long as one question to a
// server takes that is busy; usually that is well below a millisecond.
const Grace = 250 * time.Millisecond
