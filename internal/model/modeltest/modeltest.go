// Package modeltest is the conformance suite of model clients: what every kind of target promises to the chain, whatever it
// speaks.
//
// A client's test is a [Kind] and a call of [Run]. The kind serves its protocol over a real socket, by scripts of what to do; the
// suite stands between the two with a wire that it can cut, block and make slow.
package modeltest

import (
	"context"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

// Kind is one kind of target: its server and its client.
type Kind struct {
	// Target is what the kind's targets have in common. The suite gives each its URL, its name, a key and a timeout.
	Target catalog.Target
	// URL returns the URL of a server at the address, host:port.
	URL func(address string) string
	// Serve starts a server on loopback, closed by the test's clean-up, and returns its address. For each call that reaches it,
	// it asks play what to do, with a context that ends when the client is gone, and does it.
	Serve func(t *testing.T, play func(context.Context, Seen) Script) (address string)
	// Client returns a client, closed by the test's clean-up, that authenticates with the credential, and takes answers of
	// MaxAnswer bytes.
	Client func(t *testing.T, credential string) model.Client
	// Refusals are the ways in which a server of the kind refuses a call; one of each class at least that the kind knows.
	Refusals []Refusal
	// Pieces: an answer is handed out while it is made. Instead: it comes in one piece.
	Pieces bool
	// Usage: the server says what a call took. Instead: the answer's usage is nil.
	Usage bool
}

// MaxAnswer is the bound of answers that a kind's client is made with.
const MaxAnswer = 64 << 10

// Seen is what a server sees of a call.
type Seen struct {
	Prompt     string
	Credential string                   // as the client was given it; "" where none came
	Header     func(name string) string // by its lower-case name; "" where it did not come
}

// Script is what a server does with a call.
type Script struct {
	Pieces []string      // the output, in the pieces in which it is made
	Usage  *events.Usage // to say at the end; nil: nothing is said
	Before func(n int)   // called before the n-th piece, and before the end: it may wait. Nil: nothing

	Refuse  any           // the Do of one of the kind's refusals, in place of an answer; nil: it answers
	RetryIn time.Duration // when to come again, to be said with a refusal; 0: it is not said
	Words   string        // the server's own, to be said with a refusal
}

// Step calls Before, if there is one.
func (s *Script) Step(n int) {
	if s.Before != nil {
		s.Before(n)
	}
}

// Refusal is one way of refusing a call.
type Refusal struct {
	Name  string // as in "status 503"
	Do    any    // what [Script.Refuse] is for it
	Code  string // of the error that the client makes of it
	Retry bool   // the error's RetryAt is what the script's RetryIn says
}

// Run runs the suite.
func Run(t *testing.T, k Kind) {
	for _, c := range []struct {
		promise string
		check   func(*testing.T, Kind)
	}{
		{"an answer arrives whole, by one call", answers},
		{"what a call takes is said, or nil", usageSaid},
		{"text of any script survives, cut at any byte", unicodeSurvives},
		{"headers reach the server", headersArrive},
		{"each refusal has its class", refusalsClassified},
		{"a server's words reach the caller for its own fault alone", wordsGuarded},
		{"no secret, prompt or address is in an error", secretsKept},
		{"an answer without a word is of no use", emptyRefused},
		{"a server that says nothing is a timeout, and sees the client go", timesOut},
		{"a slow drip does not outlast the timeout", dripTimesOut},
		{"a deadline that passes is no timeout of the target", deadlinePasses},
		{"after its deadline nothing is called", expiredNotCalled},
		{"a canceled call is no failure of the target, and the server sees it", cancelSeen},
		{"the deltas in order are the output", deltasAreTheOutput},
		{"the first delta arrives while the server holds the rest", firstDeltaEarly},
		{"an answer over the limit ends the call, and one below does not", hugeBounded},
		{"a connection that is cut before the answer is not tried again", cutBefore},
		{"a connection that is cut in the middle of an answer is not tried again", cutInAnswer},
		{"a connection that is cut in the middle of a stream is not tried again", cutInStream},
		{"a connection that is refused costs nothing", refusedCostsNothing},
		{"a server that dies and comes back is called again", comesBack},
		{"many calls at once get their own answers", manyAtOnce},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.check(t, k)
		})
	}
}

// patience bounds every wait of the suite. Nothing depends on how much of it passes.
const patience = 60 * time.Second
