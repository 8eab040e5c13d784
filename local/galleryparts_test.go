package local_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Subjects of the bucket of parts, by ADR-20 of NATS: what describes an object, and its content.
const (
	describing = "$O.BATON_PARTS.M."
	chunks     = "$O.BATON_PARTS.C."
)

// stored returns all messages of the bucket.
func (g *gallery) stored(ctx context.Context) (all []*jetstream.RawStreamMsg) {
	g.t.Helper()
	info, err := g.parts.Info(ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	for seq := info.State.FirstSeq; seq > 0 && seq <= info.State.LastSeq; seq++ {
		m, err := g.parts.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			g.t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// last returns the last message of the bucket under a subject that begins so.
func (g *gallery) last(ctx context.Context, prefix string) (found *jetstream.RawStreamMsg) {
	g.t.Helper()
	for _, m := range g.stored(ctx) {
		if strings.HasPrefix(m.Subject, prefix) {
			found = m
		}
	}
	if found == nil {
		g.t.Fatalf("the bucket has nothing under %s", prefix)
	}
	return found
}

// replace stores a message of the bucket anew, at the end of its stream, as change made it.
func (g *gallery) replace(ctx context.Context, m *jetstream.RawStreamMsg, change func(*nats.Msg)) {
	g.t.Helper()
	anew := &nats.Msg{Subject: m.Subject, Header: nats.Header{}, Data: m.Data}
	for _, name := range []string{jetstream.MsgRollup, jetstream.MsgTTLHeader} {
		if v := m.Header.Get(name); v != "" {
			anew.Header.Set(name, v)
		}
	}
	change(anew)
	if err := g.parts.DeleteMsg(ctx, m.Sequence); err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.js.PublishMsg(ctx, anew); err != nil {
		g.t.Fatal(err)
	}
}

// objects returns how many objects the bucket has.
func (g *gallery) objects(ctx context.Context) int {
	g.t.Helper()
	info, err := g.parts.Info(ctx, jetstream.WithSubjectFilter(describing+">"))
	if err != nil {
		g.t.Fatal(err)
	}
	return len(info.State.Subjects)
}

// checkExpiry checks that everything in the bucket has an expiry of its own, before the bucket's time, and returns how much
// there is.
func (g *gallery) checkExpiry(ctx context.Context) int {
	g.t.Helper()
	all := g.stored(ctx)
	for _, m := range all {
		ttl, err := time.ParseDuration(m.Header.Get(jetstream.MsgTTLHeader))
		if err != nil || ttl <= 0 || ttl >= 49*time.Hour {
			g.t.Fatalf("%s lives for %q, %v", m.Subject, m.Header.Get(jetstream.MsgTTLHeader), err)
		}
	}
	return len(all)
}
