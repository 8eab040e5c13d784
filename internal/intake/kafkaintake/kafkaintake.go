// Package kafkaintake takes in requests from topics of Kafka: those that a tenant's configuration names, as a member of one
// group of consumers.
//
// A record is a CloudEvent by the Kafka protocol binding 1.0 (binary: headers ce_NAME; structured: content-type
// application/cloudevents+json), or a request by itself. Where nothing in it names the request, its place does: topic,
// partition, offset and time. Keys are not looked at.
//
// Delivery: at least once. The offset of a partition is committed up to the first record that is not settled, so nothing is
// passed over; a crash repeats what was settled after it, as the same requests. A record that cannot be taken now is kept in
// this process and tried again, and its partition is paused meanwhile: what was received of it by then goes on.
// Order: none is promised.
// Start: a group that is new begins with the oldest record.
// Size: what is over the configuration's limit of a body is refused.
package kafkaintake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
)

// Config is what a [Kind] is made of.
type Config struct {
	Catalog func() *catalog.Catalog // the configuration in force; required
	// Secrets reads a secret. It is called for each connection, so that a password is rotated without a restart, and its
	// error must not show the secret. Required where the configuration names a password.
	Secrets func(catalog.Secret) (string, error)
	RootCAs *x509.CertPool // what brokers' certificates are verified by; nil is the system's
	Log     *slog.Logger   // required
}

// defaultGroup is for a catalog that is made without one.
const defaultGroup = "baton"

const (
	// polled is how many records are received at once.
	polled = 256
	// fetched bounds the bytes of records that wait in this process, for each broker.
	fetched = 8 << 20
	// committed is how often offsets are committed.
	committed = time.Second
	// closeWait bounds the last commit: a broker that is away must not hold up a drain.
	closeWait = 5 * time.Second
)

// Kind is the kind of door. It implements [intake.Kind].
type Kind struct{ cfg Config }

// New returns the kind. It connects to nothing yet.
func New(cfg Config) *Kind { return &Kind{cfg} }

// Name implements [intake.Kind].
func (k *Kind) Name() string { return "kafka" }

// Places implements [intake.Kind]: one for each tenant with topics, and another one when where they are changes.
func (k *Kind) Places(c *catalog.Catalog) []intake.Place {
	if len(c.Kafka.Brokers) == 0 {
		return nil
	}
	at := strings.Join([]string{
		strings.Join(c.Kafka.Brokers, ","), c.Kafka.Group, strconv.FormatBool(c.Kafka.TLS),
		string(c.Kafka.Username), string(c.Kafka.Password),
	}, "\x00")
	var all []intake.Place
	for name, t := range c.Tenants {
		if len(t.Intake.Kafka) > 0 {
			topics := slices.Sorted(slices.Values(t.Intake.Kafka))
			all = append(all, intake.Place{Tenant: name, Where: strings.Join(topics, ",") + "\x00" + at})
		}
	}
	return all
}

// Open implements [intake.Kind]. The client finds its brokers in its own time: one that is away is no error.
func (k *Kind) Open(_ context.Context, p intake.Place) (intake.Source, error) {
	topics, _, _ := strings.Cut(p.Where, "\x00")
	s := newSource()
	client, err := kgo.NewClient(append(k.options(),
		kgo.ConsumeTopics(strings.Split(topics, ",")...),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafkaintake: %w", err)
	}
	s.client = client
	return s, nil
}

func (k *Kind) options() []kgo.Opt {
	c := k.cfg.Catalog().Kafka
	group := c.Group
	if group == "" {
		group = defaultGroup
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("baton"), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetched), kgo.FetchMaxPartitionBytes(fetched / 4),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(committed), kgo.BlockRebalanceOnPoll(),
		kgo.WithLogger(warnings{k.cfg.Log}),
	}
	if c.TLS {
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: k.cfg.RootCAs}))
	}
	if c.Username != "" {
		opts = append(opts, kgo.SASL(scram.Sha512(func(context.Context) (scram.Auth, error) {
			user, err := k.cfg.Secrets(c.Username)
			pass, err2 := k.cfg.Secrets(c.Password)
			return scram.Auth{User: user, Pass: pass}, errors.Join(err, err2)
		})))
	}
	return opts
}

// warnings says what the client warns of. It is called with addresses and names, and no record.
type warnings struct{ log *slog.Logger }

// Level implements [kgo.Logger].
func (w warnings) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements [kgo.Logger].
func (w warnings) Log(_ kgo.LogLevel, msg string, keyvals ...any) {
	w.log.Warn("kafka client warns", append([]any{"what", msg}, keyvals...)...)
}
