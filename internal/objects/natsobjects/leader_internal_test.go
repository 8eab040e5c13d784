package natsobjects

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/natstest"
	"baton.dev/baton/internal/objects"
)

func TestTheLeaderIsAskedForWhatACopyDoesNotHave(t *testing.T) {
	t.Parallel()
	js, err := jetstream.New(natstest.Connect(t, natstest.Start(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), js, Options{})
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("é", 200<<10)
	if _, err := s.Put(t.Context(), objects.Info{Key: "parts/a/0"}, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	b := s.parts
	m, err := b.leaders(t.Context(), js, question{LastFor: b.meta("parts/a/0")})
	if err != nil || !strings.Contains(string(m.Data), "parts/a/0") || m.Header.Get(jetstream.MsgRollup) == "" {
		t.Fatalf("the leader's message: %+v, %v", m, err)
	}
	if _, err := b.leaders(t.Context(), js, question{LastFor: b.meta("parts/a/1")}); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("of what is not there the leader says %v", err)
	}
	s.parts.replicated = true
	if _, err := s.Stat(t.Context(), "parts/a/1"); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("stat: %v", err)
	}
	_, r, err := s.Get(t.Context(), "parts/a/0")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got bytes.Buffer
	if _, err := io.Copy(&got, r); err != nil || got.String() != content {
		t.Errorf("read %d bytes, %v", got.Len(), err)
	}
}
