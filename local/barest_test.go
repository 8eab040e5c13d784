package local_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"baton.dev/baton/internal/natstest"
)

// barest is the barest possible chain of Baton's shape on the same parts, to measure the chain against: HTTP in, three
// streams with a hop on each, a call of a model server, a callback, everything confirmed before its input is
// acknowledged. Nothing is checked, scheduled, kept, signed or counted.
type barest struct {
	url     string
	client  *http.Client
	seq     atomic.Int64
	waiting sync.Map
}

const barestHops = 3

func newBarest(b *testing.B, syncAlways bool) *barest {
	b.Helper()
	server := natstest.Start(b, syncAlways)
	x := &barest{client: benchClient()}
	peers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if done, ok := x.waiting.LoadAndDelete(r.URL.Path); ok {
			close(done.(chan struct{}))
			return
		}
		_, _ = w.Write([]byte(`{"choices":[{"message":{"role":"assistant","content":"hello"}}]}`))
	}))
	b.Cleanup(peers.Close)
	streams := make([]jetstream.JetStream, barestHops+1)
	for i := range streams {
		js, err := jetstream.New(natstest.Connect(b, server), jetstream.WithPublishAsyncMaxPending(8192))
		if err != nil {
			b.Fatal(err)
		}
		streams[i] = js
	}
	for i := range barestHops {
		x.hop(b, streams[i+1], i, peers.URL)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := r.Header.Get("X-Id")
		if !confirmed(streams[0].PublishMsgAsync(&nats.Msg{Subject: "h.0", Header: nats.Header{"id": {id}, "Nats-Msg-Id": {id}}, Data: body})) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte(`{"message_id":"` + id + `"}`))
	}))
	b.Cleanup(front.Close)
	x.url = front.URL
	return x
}

// hop makes the n-th stream and handles what comes on it.
func (x *barest) hop(b *testing.B, js jetstream.JetStream, n int, peers string) {
	b.Helper()
	name, next := "H"+strconv.Itoa(n), "h."+strconv.Itoa(n+1)
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: name, Subjects: []string{"h." + strconv.Itoa(n)}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
	}); err != nil {
		b.Fatal(err)
	}
	consumer, err := js.CreateConsumer(b.Context(), name, jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 8192})
	if err != nil {
		b.Fatal(err)
	}
	places := make(chan struct{}, 512)
	consume, err := consumer.Consume(func(m jetstream.Msg) {
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			switch n {
			case barestHops - 1:
				x.post(peers+"/"+m.Headers().Get("id"), m.Data(), "")
			case barestHops - 2:
				x.post(peers+"/model", m.Data(), "")
				fallthrough
			default:
				if !confirmed(js.PublishMsgAsync(&nats.Msg{Subject: next, Header: m.Headers(), Data: m.Data()})) {
					return
				}
			}
			_ = m.Ack()
		}()
	}, jetstream.PullMaxMessages(1024))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(consume.Stop)
}

func confirmed(future jetstream.PubAckFuture, err error) bool {
	if err != nil {
		return false
	}
	select {
	case <-future.Ok():
		return true
	case <-future.Err():
		return false
	}
}

func (x *barest) post(url string, body []byte, id string) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return
	}
	if id != "" {
		req.Header.Set("X-Id", id)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// throughput is that of the chain, see [bench.throughput].
func (x *barest) throughput(b *testing.B, n, inFlight int) time.Duration {
	b.Helper()
	body := bytes.Repeat([]byte("x"), len(benchBody)+80)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range inFlight {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				id := strconv.FormatInt(x.seq.Add(1), 10)
				done := make(chan struct{})
				x.waiting.Store("/"+id, done)
				x.post(x.url, body, id)
				<-done
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
