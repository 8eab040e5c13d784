package kafkaintake_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/intake/intaketest"
	"baton.dev/baton/internal/intake/kafkaintake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const group = "baton"

// cluster is a Kafka of the test's own.
type cluster struct {
	*kfake.Cluster
	client     *kgo.Client // of the test
	partitions int32       // of each topic
}

func newCluster(t *testing.T, partitions int32, opts ...kfake.Opt) cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic("search"), topic("other")))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster{c, client, partitions}
}

func topic(tenant string) string { return "requests-of-" + tenant }

func (c cluster) send(t *testing.T, tenant string, m intaketest.Message) {
	t.Helper()
	r := &kgo.Record{Topic: topic(tenant), Value: []byte(m.Data)}
	if m.ContentType != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte(m.ContentType)})
	}
	for name, value := range m.Attributes {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_" + name, Value: []byte(value)})
	}
	if err := c.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// committed returns what the group has committed of the tenant's topic, by partition.
func (c cluster) committed(t *testing.T, tenant string) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic = topic(tenant)
	for id := range c.ends(t, tenant) {
		rt.Partitions = append(rt.Partitions, id)
	}
	req.Topics = append(req.Topics, rt)
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = rt.Topic, rt.Partitions
	rg.Topics = append(rg.Topics, gt)
	req.Groups = append(req.Groups, rg)
	res, err := req.RequestWith(t.Context(), c.client)
	if err != nil {
		t.Fatal(err)
	}
	offsets := map[int32]int64{}
	for _, g := range res.Groups {
		for _, tp := range g.Topics {
			for _, p := range tp.Partitions {
				offsets[p.Partition] = max(p.Offset, 0)
			}
		}
	}
	for _, tp := range res.Topics {
		for _, p := range tp.Partitions {
			offsets[p.Partition] = max(p.Offset, 0)
		}
	}
	return offsets
}

// ends returns where the tenant's topic ends, by partition.
func (c cluster) ends(t *testing.T, tenant string) map[int32]int64 {
	t.Helper()
	ends := map[int32]int64{}
	for id := range c.partitions {
		ends[id] = c.PartitionInfo(topic(tenant), id).HighWatermark
	}
	return ends
}

func (c cluster) left(t *testing.T, tenant string) int {
	t.Helper()
	committed, left := c.committed(t, tenant), 0
	for id, end := range c.ends(t, tenant) {
		left += int(end - committed[id])
	}
	return left
}

func (c cluster) harness() intaketest.Harness {
	return intaketest.Harness{
		Kind: func(_ *testing.T, cat func() *catalog.Catalog) intake.Kind {
			return kafkaintake.New(kafkaintake.Config{Catalog: cat, Log: slog.New(slog.DiscardHandler)})
		},
		Send: c.send, Left: c.left,
		Open: func(cat *catalog.Catalog, t *catalog.Tenant) {
			cat.Kafka = catalog.Kafka{Brokers: c.ListenAddrs(), Group: group}
			t.Intake.Kafka = []string{topic(t.Name)}
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	intaketest.Run(t, func(t *testing.T) intaketest.Harness {
		t.Helper()
		return newCluster(t, 3).harness()
	})
}

// taker is what takes the deliveries of a source that a test opened by itself.
type taker struct {
	mu   sync.Mutex
	got  map[string]intake.Delivery
	came chan string
}

func receive(t *testing.T, s intake.Source) (*taker, func()) {
	t.Helper()
	k := &taker{got: map[string]intake.Delivery{}, came: make(chan string, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		err := s.Run(ctx, func(d intake.Delivery) {
			k.mu.Lock()
			k.got[string(d.Data)] = d
			k.mu.Unlock()
			k.came <- string(d.Data)
		})
		if err != nil {
			t.Error(err)
		}
	})
	stop := sync.OnceFunc(func() {
		cancel()
		running.Wait()
		s.Close()
	})
	t.Cleanup(stop)
	return k, stop
}

// delivery returns the record as it came last.
func (k *taker) delivery(data string) intake.Delivery {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got[data]
}

// wait waits for the record.
func (k *taker) wait(t *testing.T, data string) intake.Delivery {
	t.Helper()
	for {
		select {
		case got := <-k.came:
			if got == data {
				return k.delivery(data)
			}
		case <-t.Context().Done():
			t.Fatal("it never came")
		}
	}
}

func open(t *testing.T, c cluster) intake.Source {
	t.Helper()
	cat := &catalog.Catalog{Tenants: map[string]*catalog.Tenant{"search": {Name: "search"}}}
	h := c.harness()
	h.Open(cat, cat.Tenants["search"])
	kind := h.Kind(t, func() *catalog.Catalog { return cat })
	places := kind.Places(cat)
	if len(places) != 1 {
		t.Fatalf("places %v", places)
	}
	s, err := kind.Open(t.Context(), places[0])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNothingIsCommittedPastARecordThatIsNotSettled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	for _, data := range []string{"a", "b", "c"} {
		c.send(t, "search", intaketest.Message{Data: data})
	}
	k, stop := receive(t, open(t, c))
	first, second, third := k.wait(t, "a"), k.wait(t, "b"), k.wait(t, "c")
	for _, d := range []intake.Delivery{third, second} {
		if err := d.Ack(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop() // which commits what can be
	if got := c.committed(t, "search")[0]; got != 0 {
		t.Fatalf("%d is committed, and the first record is not settled", got)
	}
	k, stop = receive(t, open(t, c))
	again := k.wait(t, "a")
	if again.ID != first.ID || again.Where != first.Where {
		t.Errorf("the repeat is %v, and was %v", again, first)
	}
	if err := again.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.wait(t, "b").Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.wait(t, "c")
	stop()
	if got := c.committed(t, "search")[0]; got != 2 {
		t.Errorf("%d is committed, want the two that are settled", got)
	}
}

func TestARecordThatIsPutOffPausesItsPartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.send(t, "search", intaketest.Message{Data: "a"})
	k, _ := receive(t, open(t, c))
	d := k.wait(t, "a")
	if err := d.Return(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	d = k.wait(t, "a")
	if d.Number != 2 {
		t.Errorf("handed out as number %d", d.Number)
	}
	c.send(t, "search", intaketest.Message{Data: "b"})
	if err := d.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := k.wait(t, "b").Ack(t.Context()); err != nil { // the partition goes on
		t.Fatal(err)
	}
}

// A member that comes takes a partition over, from where the commits are; what the one that had it settles late is not
// committed past the other's back.
func TestAnotherMemberTakesOverWhatIsNotSettled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	c.send(t, "search", intaketest.Message{Data: "a"})
	c.send(t, "search", intaketest.Message{Data: "b"}) // in the other partition
	first, leave := receive(t, open(t, c))
	had := map[string]intake.Delivery{}
	for range 2 {
		data := <-first.came
		had[data] = first.delivery(data)
	}
	second, stop := receive(t, open(t, c))
	data := <-second.came
	if again := second.delivery(data); again.ID != had[data].ID {
		t.Errorf("the repeat is %s, and was %s", again.ID, had[data].ID)
	}
	if err := had[data].Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	leave() // which commits what can be
	if left := c.left(t, "search"); left != 2 {
		t.Errorf("%d are left: one is committed by a member that no longer had it", left)
	}
	if err := second.delivery(data).Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if left := c.left(t, "search"); left != 1 {
		t.Errorf("%d are left, want the one that nobody settled", left)
	}
}

func TestAClusterThatIsAwayDoesNotHoldUpADrain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.send(t, "search", intaketest.Message{Data: "a"})
	k, stop := receive(t, open(t, c))
	if err := k.wait(t, "a").Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	stop()
}

func TestACredentialIsReadForEachConnection(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic("search")), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-512", "baton", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...),
		kgo.SASL(scram.Auth{User: "baton", Pass: "right"}.AsSha512Mechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic("search"), Value: []byte("a")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cat := &catalog.Catalog{
		Kafka:   catalog.Kafka{Brokers: c.ListenAddrs(), Username: "env:USER", Password: "env:PASS"},
		Tenants: map[string]*catalog.Tenant{"search": {Name: "search", Intake: catalog.Intake{Kafka: []string{topic("search")}}}},
	}
	var reads atomic.Int32
	var log lockedBuffer
	kind := kafkaintake.New(kafkaintake.Config{
		Catalog: func() *catalog.Catalog { return cat }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Secrets: func(s catalog.Secret) (string, error) {
			switch {
			case s == "env:USER":
				return "baton", nil
			case reads.Add(1) <= 2: // an old password, which is rotated meanwhile
				return "wrong", nil
			default:
				return "right", nil
			}
		},
	})
	s, err := kind.Open(t.Context(), kind.Places(cat)[0])
	if err != nil {
		t.Fatal(err)
	}
	k, stop := receive(t, s)
	k.wait(t, "a")
	stop()
	if strings.Contains(log.String(), "wrong") || strings.Contains(log.String(), "right") {
		t.Errorf("the log holds a password: %s", log.String())
	}
}

// lockedBuffer is a buffer that a logger may write to while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
