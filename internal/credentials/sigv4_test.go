package credentials_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
)

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

func hash(body string) func() (string, error) {
	return func() (string, error) {
		sum := sha256.Sum256([]byte(body))
		return hex.EncodeToString(sum[:]), nil
	}
}

func signing() (*vault, *catalog.Target) {
	return newVault(map[catalog.Secret]string{"env:A": accessKey, "env:S": secretKey}), &catalog.Target{
		Name: "main", Auth: catalog.Auth{SigV4: &catalog.SigV4{Region: "us-east-1", Service: "service", AccessKey: "env:A", SecretKey: "env:S"}},
	}
}

// session is credentials that AWS gave for a while.
type session string

func (s session) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, SessionToken: string(s)}, nil
}

// TestSignaturesAreThoseThatAWSPublished has requests of AWS's Signature Version 4 test suite.
func TestSignaturesAreThoseThatAWSPublished(t *testing.T) {
	t.Parallel()
	const scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="
	v, keys := signing()
	process := &catalog.Target{Auth: catalog.Auth{SigV4: &catalog.SigV4{Region: "us-east-1", Service: "service"}}}
	const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUu" +
		"wthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+" +
		"xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	for name, tc := range map[string]struct {
		target            *catalog.Target
		token             string
		method, url, want string
	}{
		"get-vanilla": {
			keys, "", http.MethodGet, "https://example.amazonaws.com/",
			scope + "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		"get-vanilla, with the port of the scheme": {
			keys, "", http.MethodGet, "https://example.amazonaws.com:443/",
			scope + "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		"post-vanilla": {
			keys, "", http.MethodPost, "https://example.amazonaws.com/",
			scope + "host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		},
		"get-vanilla-query-order-key-case": {
			keys, "", http.MethodGet, "https://example.amazonaws.com/?Param2=value2&Param1=value1",
			scope + "host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		},
		"post-sts-header-before": {
			process, token, http.MethodPost, "https://example.amazonaws.com/",
			scope + "host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := credentials.New(credentials.Config{Key: v.resolve, Now: v.clock, AWS: session(tc.token)})
			t.Cleanup(c.Close)
			req := request(t, tc.method, tc.url)
			secrets, err := c.Authorize(t.Context(), tc.target, req, hash(""))
			if err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get("Authorization"); got != tc.want {
				t.Errorf("Authorization:\n%s\nwant:\n%s", got, tc.want)
			}
			if req.Header.Get("X-Amz-Security-Token") != tc.token || req.Header.Get("X-Amz-Date") != "20150830T123600Z" {
				t.Errorf("headers = %v", req.Header)
			}
			if req.Host != "example.amazonaws.com" {
				t.Errorf("the host is %s, and was signed without a port", req.Host)
			}
			signature := tc.want[strings.LastIndexByte(tc.want, '=')+1:]
			if !slices.Contains(secrets, signature) || tc.token != "" && !slices.Contains(secrets, tc.token) {
				t.Errorf("secrets = %q", secrets)
			}
		})
	}
}

// TestASignatureIsThatOfWhatArrives has a server that signs what it got by the AWS SDK, with all that was named as signed, and
// compares.
func TestASignatureIsThatOfWhatArrives(t *testing.T) {
	t.Parallel()
	v, target := signing()
	target.Auth.SigV4.Service = "bedrock"
	const body = `{"model":"anthropic.claude:0"}`
	var verdict string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.RequestURI(), http.NoBody)
		if err != nil {
			return
		}
		again.ContentLength = r.ContentLength
		again.Header.Set("Content-Type", r.Header.Get("Content-Type"))
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			return
		}
		sum, _ := hash(string(got))()
		who := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
		if err := v4.NewSigner().SignHTTP(r.Context(), who, again, sum, "bedrock", "us-east-1", at); err != nil {
			return
		}
		verdict = "it is another"
		if r.Header.Get("Authorization") == again.Header.Get("Authorization") && r.Header.Get("X-Route") == "blue" {
			verdict = "it is the same"
		}
	})
	for _, path := range []string{"/openai/v1/chat/completions", "/model/anthropic.claude%3A0/invoke?b=2&a=1+x&a=%2F", "/a//b/../c", ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Route", "blue")
		if _, err := v.open(t).Authorize(t.Context(), target, req, hash(body)); err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Traceparent", "00-a-b-01") // as a transport that traces does, after it was signed
		verdict = "nothing was compared"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if verdict != "it is the same" {
			t.Errorf("%s: the signature that arrived: %s", path, verdict)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestKeysOfAWSAreRotatedTogether(t *testing.T) {
	t.Parallel()
	v, target := signing()
	first := true
	c := credentials.New(credentials.Config{Now: v.clock, Key: func(s catalog.Secret) (string, error) {
		value, err := v.resolve(s)
		if first { // between the two
			first = false
			v.set("env:A", "AKIDNEXT")
			v.set("env:S", "next")
		}
		return value, err
	}})
	t.Cleanup(c.Close)
	req, same := request(t, http.MethodPost, "https://h/"), request(t, http.MethodPost, "https://h/")
	for _, r := range []*http.Request{req, same} {
		if _, err := c.Authorize(t.Context(), target, r, hash("")); err != nil {
			t.Fatal(err)
		}
	}
	if got := req.Header.Get("Authorization"); got != same.Header.Get("Authorization") || !strings.Contains(got, "AKIDNEXT") {
		t.Errorf("the first is signed by another than the second: %s", got)
	}
}

func TestWhatCannotBeSignedIsAnErrorWithoutASecret(t *testing.T) {
	t.Parallel()
	v, target := signing()
	gone := *target.Auth.SigV4
	gone.SecretKey = "env:NONE"
	v.set("env:BAD", "hunter2\n")
	bad := *target.Auth.SigV4
	bad.SecretKey = "env:BAD"
	unread := errors.New("a part of the body is not there")
	for name, tc := range map[string]struct {
		auth    *catalog.SigV4
		payload error
		want    string
		soon    bool
	}{
		"a key that does not resolve":     {&gone, nil, "credentials: resolve secret env:NONE: it is not there", false},
		"a key that is none":              {&bad, nil, "credentials: the access key or secret key is none", false},
		"a body that cannot be read":      {target.Auth.SigV4, unread, unread.Error(), false},
		"a process that is nobody on AWS": {&catalog.SigV4{Region: "r", Service: "s"}, nil, "credentials: the process has no credentials on AWS that the AWS SDK finds", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := credentials.New(credentials.Config{Key: v.resolve, AWS: nobody{}})
			t.Cleanup(c.Close)
			req := request(t, http.MethodPost, "https://h/")
			_, err := c.Authorize(t.Context(), &catalog.Target{Auth: catalog.Auth{SigV4: tc.auth}}, req, func() (string, error) {
				return "", tc.payload
			})
			if err == nil || !strings.HasSuffix(err.Error(), tc.want) || unreachable(err) != tc.soon || len(req.Header) > 0 {
				t.Fatalf("err = %v, headers %v: want %s", err, req.Header, tc.want)
			}
			if tc.payload != nil && !errors.Is(err, unread) {
				t.Errorf("err = %v: want that of the body", err)
			}
			secretive(t, err.Error())
		})
	}
	if got, err := v.open(t).Metadata(t.Context(), target); got != nil || err == nil || err.Error() != "credentials: sigv4 signs no calls of gRPC" {
		t.Errorf("Metadata = %v, %v", got, err)
	}
}

// nobody has no credentials on AWS, and says more than it should.
type nobody struct{}

func (nobody) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("no hunter2 at http://169.254.169.254/?hunter2")
}

func TestTheProcessIsOnAWSWhoTheSDKFinds(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	c := newVault(nil).open(t)
	target := &catalog.Target{Auth: catalog.Auth{SigV4: &catalog.SigV4{Region: "us-east-1", Service: "service"}}}
	req := request(t, http.MethodPost, "https://example.amazonaws.com/")
	if _, err := c.Authorize(t.Context(), target, req, hash("")); err != nil {
		t.Fatal(err)
	}
	const want = "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, want) {
		t.Errorf("Authorization = %s", got)
	}
}
