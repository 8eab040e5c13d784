package local_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/bus/natsbus"
)

var (
	firstToken = flag.Duration("first-token", 0, "how long first tokens are timed at half load; default: a few requests, whose time nobody looks at")
	firstBar   = flag.Duration("first-token-bar", 10*time.Millisecond, "how much later than at the model 99 of 100 first tokens may come through the chain, with -first-token")
)

const (
	firstWarm      = 3 * time.Second // how long the highest rate is looked for, and before that the chain warmed up
	firstInFlight  = 64              // while it is
	firstFewInAll  = 24
	firstFewEach   = 5 * time.Millisecond
	firstPatience  = time.Minute
	firstTokenBody = `{"model":"m","stream":true,"messages":[{"role":"user","content":"Who carries the baton over the last hundred metres, and who dropped it before?"}]}`
)

// TestTheFirstTokenIsThereSoonAfterTheModelMadeIt streams chat completions through the chain, a real process, and asks the model
// itself at the same moments. With -first-token it looks for the highest rate by keeping some in flight, sends half of that
// without waiting for answers, and says how much later first tokens come. The model, the callers and the chain share this
// machine, so the rate is that of all three, and what is direct waits for the chain's work, too.
func TestTheFirstTokenIsThereSoonAfterTheModelMadeIt(t *testing.T) {
	if *firstToken == 0 {
		t.Parallel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), *firstToken+2*firstPatience)
	defer cancel()
	r := newFirstRun(t)
	if *firstToken == 0 {
		all := r.open(ctx, firstFewInAll, func() time.Duration { return firstFewEach })
		t.Logf("%d requests\n%s", len(all), table(all))
		return
	}
	r.closed(ctx, firstWarm)
	highest := r.closed(ctx, firstWarm)
	rate := highest / 2
	random := rand.New(rand.NewPCG(1, 2))
	all := r.open(ctx, int(rate*firstToken.Seconds()), func() time.Duration {
		return time.Duration(random.ExpFloat64() / rate * float64(time.Second))
	})
	t.Logf("highest rate %.0f a second with %d in flight; %d requests at %.0f a second\n%s", highest, firstInFlight, len(all), rate, table(all))
	later := ranked(all, func(f *firstTimes) time.Duration { return f.through.total() - f.direct.total() }).at(99)
	if later > *firstBar {
		t.Errorf("99 of 100 first tokens come up to %s later than from the model itself, want %s", later, *firstBar)
	}
}

// firstTimes are the moments of two requests that were sent at once, one through the chain and one to the model.
type firstTimes struct {
	through, direct firstWay
	stored          time.Time // the request was written to the broker
	scheduled       time.Time // where to was
	handed          time.Time // the first token was given to the relay
}

// firstWay are the moments of one request.
type firstWay struct {
	sent, got time.Time // by the caller: the request, the first token
	came, out time.Time // at the model: the request, the first token
	id        string
}

func (w firstWay) total() time.Duration { return w.got.Sub(w.sent) }

// firstRun is a chain, its model and who calls them.
type firstRun struct {
	t           *testing.T
	chain       string
	key         string
	model       *gatedModel
	client      *http.Client
	mu          sync.Mutex
	seen        map[string]*firstTimes // by message id: what went by at the broker
	outstanding sync.WaitGroup
}
