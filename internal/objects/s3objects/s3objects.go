// Package s3objects keeps objects in S3, or in what speaks its protocol: an object of S3 for each, what describes it as
// metadata.
//
// Durability: that of S3; Put returns after S3 has said that it has the object.
// Whole or not: what fits into one request is one. What does not is uploaded in parts under another key, since its digest
// is known at its end and S3 takes metadata at the beginning, and then copied to its own key by S3 itself, which is one step,
// of 5 GiB at most.
// Memory: a reader holds what the connection does, a writer one part of 5 MiB.
// Retention: an object past its time is not found. To remove it is for lifecycle rules of the bucket to do, by what the keys
// begin with, as infra/terraform sets them; uploads that were not completed are to be removed after one day.
// Listing: a request for each thousand objects under the prefix.
// Past this process: uploads and downloads by presigned URLs. S3 holds an upload to the size, and to the digest if one is
// named, and takes one only where nothing is yet under the key. What is downloaded so is not verified.
package s3objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"baton.dev/baton/internal/objects"
)

// Options of the store.
type Options struct {
	Bucket string // required; it must be there
	Prefix string // of all keys, with a slash at its end; empty: none
}

// Store implements [objects.Store], [objects.Lister], [objects.Presigner] and [objects.PresignGetter]. It is safe for
// concurrent use.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
// [objects.Lister]: https://pkg.go.dev/baton.dev/baton/internal/objects#Lister
// [objects.Presigner]: https://pkg.go.dev/baton.dev/baton/internal/objects#Presigner
// [objects.PresignGetter]: https://pkg.go.dev/baton.dev/baton/internal/objects#PresignGetter
type Store struct {
	client  *s3.Client
	options Options
	now     func() time.Time
	newID   func() string
}

// New returns the store. It asks nothing of S3.
func New(client *s3.Client, o Options) *Store {
	return &Store{client: client, options: o, now: time.Now, newID: rand.Text}
}

// What the metadata of an object of S3 keeps beside the caller's own.
const (
	createdName = "baton-created"
	expiresName = "baton-expires"
	digestName  = "baton-sha256"
)

func (s *Store) bucket() *string { return aws.String(s.options.Bucket) }

func (s *Store) key(key string) *string { return aws.String(s.options.Prefix + key) }

// metadata returns what is written with an object.
func metadata(in objects.Info) map[string]string {
	m := make(map[string]string, len(in.Metadata)+3)
	maps.Copy(m, in.Metadata)
	if !in.Created.IsZero() {
		m[createdName] = in.Created.Format(time.RFC3339Nano)
	}
	if in.Digest != "" {
		m[digestName] = in.Digest
	}
	if !in.Expires.IsZero() {
		m[expiresName] = in.Expires.UTC().Format(time.RFC3339Nano)
	}
	return m
}

// nothing is the type of an object that S3 was told none of: S3 makes up one.
const nothing = "binary/octet-stream"

func contentType(in objects.Info) *string {
	if in.Type == "" {
		return aws.String(nothing)
	}
	return aws.String(in.Type)
}

// described is what S3 says of an object, in an answer to GET and to HEAD.
type described struct {
	size     *int64
	typ      *string
	modified *time.Time
	metadata map[string]string
}

// info returns what is known of the object.
func (s *Store) info(key string, d described) (objects.Info, error) {
	info := objects.Info{Key: key, Size: aws.ToInt64(d.size), Type: aws.ToString(d.typ), Created: aws.ToTime(d.modified)}
	if info.Type == nothing {
		info.Type = ""
	}
	for name, value := range d.metadata {
		var err error
		switch name = strings.ToLower(name); name {
		case digestName:
			info.Digest = value
		case createdName:
			info.Created, err = time.Parse(time.RFC3339Nano, value)
		case expiresName:
			info.Expires, err = time.Parse(time.RFC3339Nano, value)
		default:
			if info.Metadata == nil {
				info.Metadata = map[string]string{}
			}
			info.Metadata[name] = value
		}
		if err != nil {
			return info, fmt.Errorf("objects: get %s: its metadata %s is no time", key, name)
		}
	}
	if info.Expired(s.now()) {
		return objects.Info{}, notFound(key)
	}
	return info, nil
}

// Stat implements [objects.Store].
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Stat(ctx context.Context, key string) (objects.Info, error) {
	if err := objects.CheckKey(key); err != nil {
		return objects.Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: s.key(key)})
	if err != nil {
		return objects.Info{}, failed("get", key, err)
	}
	return s.info(key, described{out.ContentLength, out.ContentType, out.LastModified, out.Metadata})
}

// Get implements [objects.Store]. The content is read with ctx.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Get(ctx context.Context, key string) (objects.Info, io.ReadCloser, error) {
	if err := objects.CheckKey(key); err != nil {
		return objects.Info{}, nil, err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: s.bucket(), Key: s.key(key)})
	if err != nil {
		return objects.Info{}, nil, failed("get", key, err)
	}
	info, err := s.info(key, described{out.ContentLength, out.ContentType, out.LastModified, out.Metadata})
	if err != nil {
		_ = out.Body.Close()
		return objects.Info{}, nil, err
	}
	return info, objects.Verify(info, out.Body), nil
}

// Delete implements [objects.Store]. In a bucket with versions, the earlier ones stay until the bucket's rules remove them.
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := objects.CheckKey(key); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: s.key(key)})
	if err = failed("delete", key, err); errors.Is(err, objects.ErrNotFound) {
		return nil
	}
	return err
}

// List implements [objects.Lister].
//
// [objects.Lister]: https://pkg.go.dev/baton.dev/baton/internal/objects#Lister
func (s *Store) List(ctx context.Context, prefix string) ([]objects.Info, error) {
	var found []objects.Info
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: s.bucket(), Prefix: s.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, failed("list", prefix, err)
		}
		for _, o := range page.Contents {
			found = append(found, objects.Info{
				Key:  strings.TrimPrefix(aws.ToString(o.Key), s.options.Prefix),
				Size: aws.ToInt64(o.Size), Created: aws.ToTime(o.LastModified),
			})
		}
	}
	return found, nil
}

func notFound(key string) error { return fmt.Errorf("%w: %s", objects.ErrNotFound, key) }

// failed returns the error of a request about the key. An error of S3 is told by its code and request id, and no more of it:
// its text can name what is inside.
func failed(what, key string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return notFound(key)
	}
	if said, ok := errors.AsType[smithy.APIError](err); ok {
		switch said.ErrorCode() {
		case "NotFound", "NoSuchKey":
			return notFound(key)
		}
	}
	return fmt.Errorf("objects: %s %s: %w", what, key, err)
}
