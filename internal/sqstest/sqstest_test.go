package sqstest_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAServerStoresAndHandsOut(t *testing.T) {
	t.Parallel()
	s := sqstest.Start(t, os.Getenv)
	client := s.Client(t)
	for range 2 { // each base is its own
		queue := aws.String(s.Base())
		s.Create(t, *queue, map[string]string{"VisibilityTimeout": "7"})
		const body = "é \u2028 \U0001F600"
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String(body)}); err != nil {
			t.Fatal(err)
		}
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 20,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) != 1 || aws.ToString(out.Messages[0].Body) != body {
			t.Errorf("received %v, want one message: %q", out.Messages, body)
		}
	}
}

// A skipping is a test that records how it ends.
type skipping struct {
	testing.TB
	skipped, failed bool
}

func (s *skipping) Helper() {}

func (s *skipping) Skipf(string, ...any) {
	s.skipped = true
	panic(s)
}

func (s *skipping) Fatalf(string, ...any) {
	s.failed = true
	panic(s)
}

func TestWithoutNodeATestIsSkippedUnlessItIsRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for required, wantFailed := range map[string]bool{"": false, "1": true} {
		tb := &skipping{TB: t}
		func() {
			defer func() { _ = recover() }()
			sqstest.Start(tb, func(name string) string {
				if name == "BATON_REQUIRE_SQS" {
					return required
				}
				return ""
			})
		}()
		if tb.failed != wantFailed || tb.skipped == wantFailed {
			t.Errorf("required %q: failed %t, skipped %t", required, tb.failed, tb.skipped)
		}
	}
}
