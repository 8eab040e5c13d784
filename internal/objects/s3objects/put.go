package s3objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"baton.dev/baton/internal/objects"
)

const (
	partSize = 5 << 20 // the least that S3 takes as a part of an upload
	copyMost = 5 << 30 // the most that S3 copies in one step
)

// undoTimeout bounds the removal of what is left of an upload, which outlives what it is done for.
const undoTimeout = 10 * time.Second

// draftPrefix is what the keys of uploads begin with that are under way.
const draftPrefix = "incoming/"

// Put implements [objects.Store].
//
// [objects.Store]: https://pkg.go.dev/baton.dev/baton/internal/objects#Store
func (s *Store) Put(ctx context.Context, in objects.Info, content io.Reader) (objects.Info, error) {
	if err := in.Check(); err != nil {
		return objects.Info{}, err
	}
	first := make([]byte, partSize)
	n, err := io.ReadFull(content, first)
	switch {
	case err == nil:
		in, err = s.putLarge(ctx, in, first, content)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		in, err = s.putSmall(ctx, in, first[:n])
	}
	if err != nil {
		return objects.Info{}, failed("put", in.Key, err)
	}
	return in, nil
}

// putSmall stores the object in one request.
func (s *Store) putSmall(ctx context.Context, in objects.Info, content []byte) (objects.Info, error) {
	if err := in.CheckMetadata(); err != nil {
		return in, err
	}
	sum := sha256.Sum256(content)
	in = s.complete(in, int64(len(content)), sum[:])
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: s.bucket(), Key: s.key(in.Key), Body: bytes.NewReader(content), ContentType: contentType(in), Metadata: metadata(in),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	return in, err
}

// complete returns the object's description with what is known once its content is.
func (s *Store) complete(in objects.Info, size int64, sum []byte) objects.Info {
	in.Size, in.Digest, in.Created = size, hex.EncodeToString(sum), s.now().UTC().Round(0)
	in.Expires = in.Expires.UTC()
	return in
}

// putLarge uploads the object in parts, the first of which is read, and copies it to its key. A crash before the copy leaves
// parts, or an object under a key that nothing refers to: the bucket's rules remove both.
func (s *Store) putLarge(ctx context.Context, in objects.Info, buffer []byte, content io.Reader) (objects.Info, error) {
	draft := s.key(draftPrefix + s.newID())
	size, sum, err := s.upload(ctx, draft, buffer, content)
	if err != nil {
		return in, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		_, _ = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: draft})
	}()
	if err := in.CheckMetadata(); err != nil {
		return in, err
	}
	in = s.complete(in, size, sum)
	_, err = s.client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: s.bucket(), Key: s.key(in.Key), CopySource: aws.String(s.options.Bucket + "/" + *draft),
		MetadataDirective: types.MetadataDirectiveReplace, ContentType: contentType(in), Metadata: metadata(in),
	})
	return in, err
}

// upload stores the content under the key, in parts, and returns its size and digest.
func (s *Store) upload(ctx context.Context, key *string, buffer []byte, content io.Reader) (size int64, sum []byte, err error) {
	begun, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: s.bucket(), Key: key})
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		_, _ = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: s.bucket(), Key: key, UploadId: begun.UploadId,
		})
	}()
	hash := sha256.New()
	var parts []types.CompletedPart
	for n, last := len(buffer), false; n > 0; {
		hash.Write(buffer[:n])
		if size += int64(n); size > copyMost {
			return 0, nil, fmt.Errorf("larger than %d bytes", int64(copyMost))
		}
		number := aws.Int32(int32(len(parts) + 1))
		done, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: s.bucket(), Key: key, UploadId: begun.UploadId, PartNumber: number, Body: bytes.NewReader(buffer[:n]),
		})
		if err != nil {
			return 0, nil, err
		}
		// S3 takes the tag with its quotes and without. In XML the SDK writes a quote as a number, which not every server reads.
		tag := aws.String(strings.Trim(aws.ToString(done.ETag), `"`))
		parts = append(parts, types.CompletedPart{ETag: tag, PartNumber: number, ChecksumCRC32: done.ChecksumCRC32})
		if last {
			break
		}
		n, err = io.ReadFull(content, buffer)
		last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return 0, nil, err
		}
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: s.bucket(), Key: key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return size, hash.Sum(nil), err
}
