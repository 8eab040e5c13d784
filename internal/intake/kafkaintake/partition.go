package kafkaintake

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/intake"
)

// unsettledMost is how many records of a partition are held that are not committed: where one is not settled for long, those
// after it are received, settled and kept in mind until it is.
const unsettledMost = 4096

// partition is what was received of a partition, from the first record that is not settled.
type partition struct {
	client *kgo.Client
	key    key

	mu       sync.Mutex
	held     []*record // by offset
	returned int       // of them, those that wait for another try
	paused   bool
	gone     bool // to another member
}

// record is one record that was received. It is its own settler.
type record struct {
	*kgo.Record
	source    *source
	partition *partition
	number    int // how often it was handed out
	settled   bool
}

func (p *partition) add(s *source, r *kgo.Record) *record {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := &record{Record: r, source: s, partition: p}
	p.held = append(p.held, held)
	p.pace()
	return held
}

// pace pauses the partition, or lets it go on. The caller holds the lock.
func (p *partition) pace() {
	which := map[string][]int32{p.key.topic: {p.key.id}}
	switch pause := p.returned > 0 || len(p.held) >= unsettledMost; {
	case p.gone || pause == p.paused:
	case pause:
		p.paused = true
		p.client.PauseFetchPartitions(which)
	default:
		p.paused = false
		p.client.ResumeFetchPartitions(which)
	}
}

// settle notes that the record is settled, and marks what can be committed: all before the first record that is not.
func (p *partition) settle(r *record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.settled = true
	var last *record
	for len(p.held) > 0 && p.held[0].settled {
		last, p.held[0] = p.held[0], nil
		p.held = p.held[1:]
	}
	if last != nil && !p.gone {
		p.client.MarkCommitRecords(last.Record)
	}
	p.pace()
}

// wait notes that a record waits for another try.
func (p *partition) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returned++
	p.pace()
}

// resume notes that a record that waited is tried again, or reports that it is another's to try.
func (p *partition) resume() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returned--
	p.pace()
	return !p.gone
}

// giveUp leaves the partition to another member.
func (p *partition) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
}

// delivery returns the record to be handed out.
func (r *record) delivery() intake.Delivery {
	r.number++
	return intake.Delivery{
		Arrival: arrival(r.Record), Where: fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset), Number: r.number, Settler: r,
	}
}

// Ack implements [intake.Settler]. The offset is committed a little later.
func (r *record) Ack(context.Context) error {
	r.partition.settle(r)
	return nil
}

// Return implements [intake.Settler].
func (r *record) Return(_ context.Context, delay time.Duration) error {
	r.partition.wait()
	r.source.again(r, delay)
	return nil
}

// arrival reads a record (CloudEvents Kafka protocol binding 1.0, section 3). Values of headers are UTF-8, and not encoded.
func arrival(r *kgo.Record) ingest.Arrival {
	a := ingest.Arrival{
		// A topic that is made anew counts from 0 again: the time tells its records from those before.
		ID:   fmt.Sprintf("kafka %s %d %d %s", r.Topic, r.Partition, r.Offset, r.Timestamp.UTC().Format(time.RFC3339Nano)),
		Data: r.Value,
	}
	attributes := map[string]string{}
	for _, h := range r.Headers {
		name := strings.ToLower(h.Key)
		attribute, ok := strings.CutPrefix(name, "ce_")
		switch {
		case ok:
			attributes[attribute] = strings.ToValidUTF8(string(h.Value), "\uFFFD")
		case name == "content-type":
			a.ContentType = string(h.Value)
		case name == "traceparent":
			a.TraceParent = string(h.Value)
		case name == "tracestate":
			a.TraceState = string(h.Value)
		}
	}
	if attributes["specversion"] != "" {
		a.Attributes = attributes
	}
	return a
}
