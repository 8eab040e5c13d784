package sqsout_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/outbound"
	"baton.dev/baton/internal/outbound/sqsout"
	"baton.dev/baton/internal/sqstest"
	"baton.dev/baton/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{'s'}, 32))

// message returns a message as callback makes it.
func message(t *testing.T, body string) outbound.Message {
	t.Helper()
	signer, err := webhook.NewSigner([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	m := outbound.Message{
		ID: "m-completed-1", Subject: "m", Data: []byte(body), Webhook: http.Header{},
		Attributes: map[string]string{
			"specversion": "1.0", "id": "m-completed-1", "source": "/baton/infer", "type": "dev.baton.inference.completed.v1",
			"subject": "m", "model": "m", "target": "t", "attempt": "1", "time": "2026-01-02T03:04:05Z", "traceparent": "x", "causationid": "y",
		},
	}
	if err := signer.Sign(m.Webhook, m.ID, time.Now(), m.Data); err != nil {
		t.Fatal(err)
	}
	return m
}

// queue makes a queue beside those of the chain, and returns its name.
func queue(t *testing.T, s *sqstest.Server, suffix string, attributes map[string]string) (name, url string) {
	t.Helper()
	url = s.Base() + suffix
	s.Create(t, url, attributes)
	return path.Base(url), url
}

func receive(t *testing.T, client *sqs.Client, url string) types.Message {
	t.Helper()
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil || len(out.Messages) != 1 {
		t.Fatalf("received %v, %v", out, err)
	}
	return out.Messages[0]
}

// verify checks the signature of a message as a receiver does, and returns what it is over.
func verify(t *testing.T, m types.Message) string {
	t.Helper()
	h := http.Header{}
	for name, a := range m.MessageAttributes {
		h.Set(name, aws.ToString(a.StringValue))
	}
	body := []byte(aws.ToString(m.Body))
	if h.Get("content-encoding") == "base64" {
		var err error
		if body, err = base64.StdEncoding.DecodeString(string(body)); err != nil {
			t.Fatal(err)
		}
	}
	v, err := webhook.NewVerifier([]string{secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(h, body, time.Now()); err != nil {
		t.Error(err)
	}
	if len(m.MessageAttributes) > 10 {
		t.Errorf("%d attributes", len(m.MessageAttributes))
	}
	if h.Get("ce-id") != "m-completed-1" || h.Get("ce-type") != "dev.baton.inference.completed.v1" || h.Get("webhook-id") != h.Get("ce-id") {
		t.Errorf("the attributes are %v", h)
	}
	return string(body)
}

func TestAQueueGetsTheBytesThatAreSigned(t *testing.T) {
	t.Parallel()
	s := sqstest.Start(t, os.Getenv)
	client := s.Client(t)
	sender := sqsout.New(client, s.Base())
	for _, body := range []string{
		`{"output":"é 😀 \u2028"}`, "{\"output\":\"a character that SQS refuses: \uFFFE\"}", "{\"output\":\"no UTF-8: \xff\"}",
	} {
		name, url := queue(t, s, "-results", nil)
		if err := sender.Deliver(t.Context(), name, message(t, body)); err != nil {
			t.Fatal(err)
		}
		if got := verify(t, receive(t, client, url)); got != body {
			t.Errorf("received %q, want %q", got, body)
		}
	}
}

func TestAQueueThatKeepsAnOrderStoresAResultOnce(t *testing.T) {
	t.Parallel()
	s := sqstest.Start(t, os.Getenv)
	client := s.Client(t)
	name, url := queue(t, s, "-results.fifo", map[string]string{"FifoQueue": "true"})
	sender := sqsout.New(client, s.Base())
	for range 2 {
		if err := sender.Deliver(t.Context(), name, message(t, "{}")); err != nil {
			t.Fatal(err)
		}
	}
	first := receive(t, client, url)
	if first.Attributes["MessageGroupId"] != "m" || first.Attributes["MessageDeduplicationId"] != "m-completed-1" {
		t.Errorf("the attributes are %v", first.Attributes)
	}
	if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: first.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url})
	if err != nil || len(out.Messages) != 0 {
		t.Errorf("received %v, %v, want nothing more", out, err)
	}
}

func TestWhatCannotBeSentSaysSo(t *testing.T) {
	t.Parallel()
	s := sqstest.Start(t, os.Getenv)
	base := s.Base()
	sender := sqsout.New(s.Client(t), base)
	m := message(t, "{}")
	for _, name := range []string{path.Base(base) + "-schedule-high", "a/b", ""} {
		if err := sender.Deliver(t.Context(), name, m); !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := sender.Deliver(t.Context(), "nobody-made-it", m); err == nil || err.Error() != "there is no such queue" {
		t.Error(err)
	}
	m.Data = []byte(strings.Repeat("x", 1<<20))
	if err := sender.Deliver(t.Context(), "results", m); !errors.Is(err, outbound.ErrTooLarge) {
		t.Error(err)
	}
	away := s.Client(t, func(o *sqs.Options) {
		o.BaseEndpoint, o.RetryMaxAttempts = aws.String("http://127.0.0.1:1"), 1
	})
	if err := sqsout.New(away, base).Deliver(t.Context(), "results", message(t, "{}")); err == nil || err.Error() != "SQS cannot be reached" {
		t.Error(err)
	}
}
