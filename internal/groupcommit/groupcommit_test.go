package groupcommit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/groupcommit"
	"baton.dev/baton/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup returns a publisher and its stream, on a server that syncs always.
func setup(t *testing.T) (*groupcommit.Publisher, jetstream.Stream, *nats.Conn) {
	t.Helper()
	nc := natstest.Connect(t, natstest.Start(t, true))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowAtomicPublish: true, AllowDirect: true})
	if err != nil {
		t.Fatal(err)
	}
	return groupcommit.New(js, true), s, nc
}

// publish publishes all of the messages at once, and returns what each was told.
func publish(t *testing.T, p *groupcommit.Publisher, msgs []*nats.Msg) []error {
	t.Helper()
	errs := make([]error, len(msgs))
	var wg sync.WaitGroup
	for i, m := range msgs {
		wg.Go(func() {
			pending, err := p.Start("S", m)
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err = pending.Wait(ctx)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errs
}

func message(n int, header ...string) *nats.Msg {
	m := nats.NewMsg(fmt.Sprintf("s.%d", n))
	for i := 0; i < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	m.Data = []byte("data")
	return m
}

func stored(t *testing.T, s jetstream.Stream) uint64 {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestEveryMessageIsStoredOnceAndConfirmed(t *testing.T) {
	t.Parallel()
	p, s, _ := setup(t)
	var msgs []*nats.Msg
	for n := range 1000 {
		msgs = append(msgs, message(n))
	}
	for _, err := range publish(t, p, msgs) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := stored(t, s); n != 1000 {
		t.Errorf("%d messages are stored, want 1000", n)
	}
}

func TestAMemberThatIsRefusedTakesNobodyWithIt(t *testing.T) {
	t.Parallel()
	p, s, _ := setup(t)
	if errs := publish(t, p, []*nats.Msg{message(0, jetstream.MsgIDHeader, "seen")}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	var msgs []*nats.Msg
	for n := range 500 {
		switch n % 50 {
		case 7: // stored already: no error, and not stored again
			msgs = append(msgs, message(n, jetstream.MsgIDHeader, "seen"))
		case 9: // a cell that is written already
			msgs = append(msgs, message(0, jetstream.ExpectedLastSubjSeqHeader, "0"))
		default:
			msgs = append(msgs, message(n+1))
		}
	}
	for n, err := range publish(t, p, msgs) {
		if refused := n%50 == 9; refused != (err != nil) {
			t.Errorf("message %d was told %v", n, err)
		}
	}
	if n := stored(t, s); n != 1+480 {
		t.Errorf("%d messages are stored, want 481", n)
	}
}

func TestALargeBatchIsSplit(t *testing.T) {
	t.Parallel()
	p, s, _ := setup(t)
	var msgs []*nats.Msg
	for n := range 40 {
		m := message(n)
		m.Data = make([]byte, 900<<10)
		msgs = append(msgs, m)
	}
	for _, err := range publish(t, p, msgs) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := stored(t, s); n != 40 {
		t.Errorf("%d messages are stored, want 40", n)
	}
}

func TestAPublishThatIsNotAnsweredIsAnError(t *testing.T) {
	t.Parallel()
	p, _, nc := setup(t)
	nc.Close()
	for _, err := range publish(t, p, []*nats.Msg{message(1), message(2), message(3)}) {
		if err == nil {
			t.Error("a message was confirmed without a server")
		}
	}
}
