package s3objects_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"baton.dev/baton/internal/objects"
	"baton.dev/baton/internal/objects/objectstest"
	"baton.dev/baton/internal/objects/s3objects"
	"baton.dev/baton/internal/sqstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	server := sqstest.Start(t, os.Getenv)
	client, bucket := server.Bucket(t)
	s := s3objects.New(client, s3objects.Options{Bucket: bucket, Prefix: "baton/"})
	objectstest.Run(t, func(*testing.T) objectstest.Harness {
		return objectstest.Harness{Store: s, Alter: func(t *testing.T, key string, change func([]byte) []byte) {
			alter(t, client, bucket, "baton/"+key, change)
		}}
	})
}

// alter stores another content under the key, with the metadata of what was there.
func alter(t *testing.T, client *s3.Client, bucket, key string, change func([]byte) []byte) {
	t.Helper()
	was, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	defer was.Body.Close()
	content, err := io.ReadAll(was.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Metadata: was.Metadata, ContentType: was.ContentType,
		Body: bytes.NewReader(change(content)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsLeftOfAnUploadInParts(t *testing.T) {
	t.Parallel()
	client, bucket := sqstest.Start(t, os.Getenv).Bucket(t)
	s := s3objects.New(client, s3objects.Options{Bucket: bucket})
	if _, err := s.Put(t.Context(), objects.Info{Key: "parts/a/0"}, bytes.NewReader(objectstest.Random(1, 11<<20))); err != nil {
		t.Fatal(err)
	}
	found, err := s.List(t.Context(), "")
	if err != nil || len(found) != 1 || found[0].Key != "parts/a/0" || found[0].Size != 11<<20 {
		t.Errorf("in the bucket are %v, %v", found, err)
	}
}

func TestACallerUploadsByAPresignedURL(t *testing.T) {
	t.Parallel()
	client, bucket := sqstest.Start(t, os.Getenv).Bucket(t)
	s := s3objects.New(client, s3objects.Options{Bucket: bucket})
	content := []byte("a file")
	sum := sha256.Sum256(content)
	for name, digest := range map[string]string{"named": hex.EncodeToString(sum[:]), "unnamed": ""} {
		in := objects.Info{
			Key: "files/t/" + name, Type: "text/plain", Size: int64(len(content)), Digest: digest,
			Metadata: map[string]string{"purpose": "batch"}, Expires: time.Now().Add(time.Hour),
		}
		url, headers, err := s.PresignPut(t.Context(), in, time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		if headers["if-none-match"] != "*" {
			t.Errorf("the upload may replace what is there: %v", headers)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %d", res.StatusCode)
		}
		info, r, err := s.Get(t.Context(), in.Key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, content) || info.Digest != digest || info.Type != in.Type ||
			info.Metadata["purpose"] != "batch" || info.Created.IsZero() {
			t.Errorf("got %q, %+v, %v", got, info, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestACallerDownloadsByAPresignedURL(t *testing.T) {
	t.Parallel()
	client, bucket := sqstest.Start(t, os.Getenv).Bucket(t)
	s := s3objects.New(client, s3objects.Options{Bucket: bucket, Prefix: "baton/"})
	content := objectstest.Random(3, 6<<20)
	if _, err := s.Put(t.Context(), objects.Info{Key: "files/t/f", Type: "text/html"}, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	url, err := s.PresignGet(t.Context(), "files/t/f", `a "b" é.html`, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || res.StatusCode != http.StatusOK || !bytes.Equal(got, content) {
		t.Errorf("status %d, %d bytes, %v", res.StatusCode, len(got), err)
	}
	for _, want := range []string{"response-content-disposition=attachment", "response-content-type=binary%2Foctet-stream"} {
		if !strings.Contains(url, want) {
			t.Errorf("no %s in %s", want, req.URL.RawQuery)
		}
	}
	if _, err := s.PresignGet(t.Context(), "../x", "f", time.Now().Add(time.Minute)); err == nil {
		t.Error("a key that is none is signed")
	}
}
