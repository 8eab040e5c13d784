package s3objects

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"baton.dev/baton/internal/objects"
)

// PresignPut implements [objects.Presigner]. The URL is good for one object: S3 refuses it where there is one under the key
// (If-None-Match), and content of another size or digest.
//
// [objects.Presigner]: https://pkg.go.dev/baton.dev/baton/internal/objects#Presigner
func (s *Store) PresignPut(
	ctx context.Context, in objects.Info, until time.Time,
) (url string, headers map[string]string, err error) {
	if err := in.Check(); err != nil {
		return "", nil, err
	}
	put := &s3.PutObjectInput{
		Bucket: s.bucket(), Key: s.key(in.Key), ContentType: contentType(in), ContentLength: aws.Int64(in.Size),
		Metadata: metadata(in), IfNoneMatch: aws.String("*"),
	}
	if in.Digest != "" {
		sum, err := hex.DecodeString(in.Digest)
		if err != nil {
			return "", nil, fmt.Errorf("objects: presign %s: the digest is not hexadecimal", in.Key)
		}
		put.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum))
	}
	signed, err := s3.NewPresignClient(s.client).PresignPutObject(ctx, put, func(o *s3.PresignOptions) {
		o.Expires = until.Sub(s.now())
	})
	if err != nil {
		return "", nil, failed("presign", in.Key, err)
	}
	headers = map[string]string{}
	for name, values := range signed.SignedHeader {
		switch name = strings.ToLower(name); name {
		case "host", "content-length": // any client sets them
		default:
			headers[name] = strings.Join(values, ",")
		}
	}
	return signed.URL, headers, nil
}

// PresignGet implements [objects.PresignGetter].
//
// [objects.PresignGetter]: https://pkg.go.dev/baton.dev/baton/internal/objects#PresignGetter
func (s *Store) PresignGet(ctx context.Context, key, filename string, until time.Time) (url string, err error) {
	if err := objects.CheckKey(key); err != nil {
		return "", err
	}
	get := &s3.GetObjectInput{
		Bucket: s.bucket(), Key: s.key(key), ResponseContentType: aws.String(nothing), ResponseCacheControl: aws.String("no-store"),
		ResponseContentDisposition: aws.String(mime.FormatMediaType("attachment", map[string]string{"filename": filename})),
	}
	signed, err := s3.NewPresignClient(s.client).PresignGetObject(ctx, get, func(o *s3.PresignOptions) {
		o.Expires = until.Sub(s.now())
	})
	if err != nil {
		return "", failed("presign", key, err)
	}
	return signed.URL, nil
}
