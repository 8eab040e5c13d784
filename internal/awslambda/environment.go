package awslambda

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"

	"baton.dev/baton/internal/process"
)

// environment is what the variables say. README.md has the table of them.
type environment struct {
	config   string
	sqsURL   string
	objects  place
	logLevel slog.Level
}

// place is where in S3 objects are kept; the zero value is nowhere.
type place struct {
	bucket string
	prefix string // of the keys, with a slash at its end; empty: none
}

// readPlace reads s3://BUCKET or s3://BUCKET/PREFIX, with a slash at its end or without. Empty is nowhere.
func readPlace(raw string) (place, error) {
	if raw == "" {
		return place{}, nil
	}
	rest, ok := strings.CutPrefix(raw, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || !bucketName.MatchString(bucket) {
		return place{}, errors.New("BATON_OBJECTS is no place in S3: want s3://BUCKET or s3://BUCKET/PREFIX")
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return place{bucket, prefix}, nil
}

// bucketName is what S3 allows for the name of a bucket, but for a few that it keeps for itself.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// bundled is where Lambda unpacks the baton.yaml of a zip file.
const bundled = "/var/task/baton.yaml"

// readEnvironment reads the variables and reports every fault at once.
func readEnvironment(getenv func(string) string) (environment, error) {
	env := environment{config: getenv("BATON_CONFIG"), sqsURL: getenv("BATON_SQS_URL")}
	if env.config == "" {
		env.config = bundled
	}
	var errs []error
	if u, err := url.Parse(env.sqsURL); env.sqsURL == "" || err != nil || u.Host == "" || len(u.Path) < 2 {
		errs = append(errs, errors.New("BATON_SQS_URL is no URL that the queues' URLs begin with, "+
			"such as https://sqs.eu-central-1.amazonaws.com/123456789012/baton"))
	}
	var err error
	if env.objects, err = readPlace(getenv("BATON_OBJECTS")); err != nil {
		errs = append(errs, err)
	}
	if env.logLevel, err = process.ParseLevel(getenv("BATON_LOG")); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return env, fmt.Errorf("awslambda: environment: %w", err)
	}
	return env, nil
}
