package sqsintake_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/intake"
	"baton.dev/baton/internal/intake/intaketest"
	"baton.dev/baton/internal/intake/sqsintake"
	"baton.dev/baton/internal/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	server := sqstest.Start(t, os.Getenv)
	intaketest.Run(t, func(t *testing.T) intaketest.Harness {
		t.Helper()
		client, base := server.Client(t), server.Base()
		for _, tenant := range []string{"search", "other"} {
			server.Create(t, sqsintake.QueueURL(base, tenant), nil)
		}
		return intaketest.Harness{
			Kind: func(*testing.T, func() *catalog.Catalog) intake.Kind {
				return sqsintake.New(client, sqsintake.Options{URL: base, Lease: 2 * time.Second, Wait: time.Second})
			},
			Send: func(t *testing.T, tenant string, m intaketest.Message) {
				t.Helper()
				in := &sqs.SendMessageInput{
					QueueUrl: aws.String(sqsintake.QueueURL(base, tenant)), MessageBody: &m.Data,
					MessageAttributes: map[string]types.MessageAttributeValue{},
				}
				set := func(name, value string) {
					in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
				}
				if m.ContentType != "" {
					set("Content-Type", m.ContentType)
				}
				for name, value := range m.Attributes {
					set("ce-"+name, value)
				}
				if _, err := client.SendMessage(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			},
			Left: func(t *testing.T, tenant string) int {
				t.Helper()
				names := []types.QueueAttributeName{
					types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
				}
				out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
					QueueUrl: aws.String(sqsintake.QueueURL(base, tenant)), AttributeNames: names,
				})
				if err != nil {
					t.Fatal(err)
				}
				left := 0
				for _, name := range names {
					n, err := strconv.Atoi(out.Attributes[string(name)])
					if err != nil {
						t.Fatal(err)
					}
					left += n
				}
				return left
			},
			Open: func(_ *catalog.Catalog, t *catalog.Tenant) { t.Intake.SQS = true },
		}
	})
}

func TestAQueueNamesItsTenant(t *testing.T) {
	t.Parallel()
	const base = "https://sqs.eu-central-1.amazonaws.com/123456789012/baton"
	for queue, want := range map[string]string{
		sqsintake.QueueURL(base, "search"):                   "search",
		"arn:aws:sqs:eu-central-1:123456789012:baton-in-a-b": "a-b",
		"arn:aws:sqs:eu-central-1:123456789012:baton-infer":  "",
		"arn:aws:sqs:eu-central-1:123456789012:baton-in-":    "",
		"arn:aws:sqs:eu-central-1:123456789012:x-baton-in-a": "",
		"": "",
	} {
		if got, ok := sqsintake.Tenant(base, queue); got != want || ok != (want != "") {
			t.Errorf("%s is of %q, %t, want %q", queue, got, ok, want)
		}
	}
}
