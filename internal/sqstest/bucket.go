package sqstest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket returns a client of the server's S3, and a new bucket there. Of a real account the test is skipped, whose buckets
// are named for the world. The server holds objects in memory until it ends.
func (s *Server) Bucket(t testing.TB) (client *s3.Client, bucket string) {
	t.Helper()
	if s.Real {
		t.Skip("a bucket of a real account is not made for a test")
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t.Fatal("the default transport is another")
	}
	transport = transport.Clone()
	t.Cleanup(transport.CloseIdleConnections)
	c := s.config.Copy()
	c.HTTPClient = &http.Client{Transport: transport}
	client = s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = true // names below the loopback's address resolve to nothing
	})
	bucket = fmt.Sprintf("baton-%s-%d", s.run, s.bases.Add(1))
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	return client, bucket
}
