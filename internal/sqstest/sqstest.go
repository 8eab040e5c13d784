// Package sqstest gives tests a real SQS server: fauxqs, which speaks the JSON protocol of AWS, in a process of its own on
// the loopback interface, or a real account's queues.
//
// fauxqs is a program of Node's. It is installed once, from the lock file in this package, into the user's cache directory,
// and needs no network after that. Where it cannot be had, the test is skipped by name; BATON_REQUIRE_SQS=1 makes that a
// failure. BATON_TEST_SQS_URL names a real account instead, by the URL that the names of the queues begin with, such as
// https://sqs.eu-central-1.amazonaws.com/123456789012/baton-test: each test makes its own queues there and deletes them.
package sqstest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/internal/npmtest"
)

// Server is where a test's queues are. It is safe for concurrent use.
type Server struct {
	// Name says what it is.
	Name string
	// Real says that it is a real account, which promises no more than AWS does.
	Real bool

	base   string // what the URLs of all queues begin with
	run    string // sets this run's queues apart from another's, in the same account
	config aws.Config
	bases  atomic.Int32
}

// Start returns a server that lives until the test ends, and logs which it is. getenv is os.Getenv: the package reads
// BATON_TEST_SQS_URL and BATON_REQUIRE_SQS.
func Start(t testing.TB, getenv func(string) string) *Server {
	t.Helper()
	s := &Server{run: fmt.Sprintf("%x", time.Now().UnixNano())}
	if base := getenv("BATON_TEST_SQS_URL"); base != "" {
		s.useAccount(t, base)
	} else {
		dir, err := npmtest.Install(t.Context(), files, "fauxqs", "sqstest")
		switch {
		case err == nil:
		case getenv("BATON_REQUIRE_SQS") == "1":
			t.Fatalf("no SQS server to test with, and BATON_REQUIRE_SQS=1: %v", err)
		default:
			t.Skipf("no SQS server to test with: %v (BATON_REQUIRE_SQS=1 makes this a failure)", err)
		}
		s.useLocal(t, launch(t, dir))
	}
	t.Logf("SQS server: %s", s.Name)
	return s
}

func (s *Server) useLocal(t testing.TB, address string) {
	s.Name = serverName(t)
	s.base = address + "/000000000000/baton"
	s.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(address),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

func (s *Server) useAccount(t testing.TB, base string) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		t.Fatalf("BATON_TEST_SQS_URL is no URL")
	}
	s.Name, s.Real, s.base = "real account at "+u.Host, true, base
	if s.config, err = config.LoadDefaultConfig(t.Context()); err != nil {
		t.Fatal(err)
	}
	if labels := strings.Split(u.Hostname(), "."); s.config.Region == "" && len(labels) > 2 && labels[0] == "sqs" {
		s.config.Region = labels[1]
	}
}

// Client returns a client of the server, with the options on top, until the test ends.
func (s *Server) Client(t testing.TB, options ...func(*sqs.Options)) *sqs.Client {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t.Fatal("the default transport is another")
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = 100 // as many as the tests use at once
	t.Cleanup(transport.CloseIdleConnections)
	c := s.config.Copy()
	c.HTTPClient = &http.Client{Transport: transport}
	return sqs.NewFromConfig(c, options...)
}

// Base returns a URL that nobody else's queues begin with: what BATON_SQS_URL is for a chain of the test's own.
func (s *Server) Base() string {
	return fmt.Sprintf("%s-%s-%d", s.base, s.run, s.bases.Add(1))
}

// Create makes a queue with the URL and attributes, as those of SQS's CreateQueue, until the test ends.
func (s *Server) Create(t testing.TB, queueURL string, attributes map[string]string) {
	t.Helper()
	client := s.Client(t)
	in := &sqs.CreateQueueInput{QueueName: aws.String(path.Base(queueURL)), Attributes: attributes}
	if _, err := client.CreateQueue(t.Context(), in); err != nil {
		t.Fatalf("create queue: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: aws.String(queueURL)}); err != nil {
			t.Errorf("delete queue: %v", err)
		}
	})
}

// ARN returns the name by which the attributes of another queue refer to the queue with the URL.
func (s *Server) ARN(t testing.TB, queueURL string) string {
	t.Helper()
	out, err := s.Client(t).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(queueURL), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatalf("queue attributes: %v", err)
	}
	return out.Attributes[string(types.QueueAttributeNameQueueArn)]
}
