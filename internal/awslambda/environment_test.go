package awslambda

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
)

const minimal = "models:\n  m: {targets: [{name: t, api: openai, url: https://model.example}]}\n"

func writeConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "baton.yaml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFunctionThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"BATON_CONFIG": writeConfig(t), "BATON_SQS_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/baton",
		"BATON_REDIS_URL": "rediss://:top-secret@cache.example:6379", "AWS_REGION": "eu-central-1", "BATON_OBJECTS": "s3://objects/baton",
	}
	for name, tc := range map[string]struct {
		without, with string
		want          []string
	}{
		"nothing":              {},
		"no queues":            {"BATON_SQS_URL", "", []string{"BATON_SQS_URL"}},
		"queues without name":  {"BATON_SQS_URL", "https://sqs.example", []string{"BATON_SQS_URL"}},
		"no configuration":     {"BATON_CONFIG", "", []string{"/var/task/baton.yaml"}},
		"no results":           {"BATON_REDIS_URL", "", []string{"BATON_REDIS_URL"}},
		"results at no URL":    {"BATON_REDIS_URL", "http://:top-secret@cache.example", []string{"BATON_REDIS_URL"}},
		"no objects":           {"BATON_OBJECTS", "", nil},
		"objects at no place":  {"BATON_OBJECTS", "https://:top-secret@objects", []string{"BATON_OBJECTS"}},
		"objects in no bucket": {"BATON_OBJECTS", "s3:///baton", []string{"BATON_OBJECTS"}},
		"a level of no kind":   {"BATON_LOG", "loud", []string{"BATON_LOG"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := func(name string) string {
				if name == tc.without {
					return tc.with
				}
				return good[name]
			}
			for _, function := range []events.Hop{events.Ingest, events.Schedule, events.Infer, events.Callback} {
				var log bytes.Buffer
				handler, err := newHandler(context.Background(), function, getenv, &log)
				if len(tc.want) == 0 {
					if err != nil || handler == nil {
						t.Errorf("%s: %v", function, err)
					}
					continue
				}
				if err == nil {
					t.Errorf("%s starts", function)
					continue
				}
				for _, want := range tc.want {
					if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "top-secret") {
						t.Errorf("%s: %v, want it to say %s", function, err, want)
					}
				}
			}
		})
	}
}

func TestAConfigurationIsAnotherOneAfterFiveMinutesOnlyWhereItIsRenewed(t *testing.T) {
	t.Parallel()
	for _, renewed := range []bool{false, true} {
		c, err := loadConfiguration(writeConfig(t), renewed, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c.now = func() time.Time { return now }
		first := c.catalog()
		now = now.Add(4 * time.Minute)
		if c.catalog() != first {
			t.Errorf("renewed %t: another after 4 minutes", renewed)
		}
		now = now.Add(2 * time.Minute)
		if (c.catalog() != first) != renewed {
			t.Errorf("renewed %t: another after 6 minutes: %t", renewed, c.catalog() != first)
		}
		if _, ok := c.catalog().Models["m"]; !ok {
			t.Errorf("renewed %t: the model is gone", renewed)
		}
	}
}

func TestObjectsAreInABucketUnderAPrefix(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]place{
		"": {}, "s3://objects": {bucket: "objects"}, "s3://objects/": {bucket: "objects"},
		"s3://objects/a": {"objects", "a/"}, "s3://objects/a/b/": {"objects", "a/b/"},
	} {
		if got, err := readPlace(raw); err != nil || got != want {
			t.Errorf("%q is %+v, %v", raw, got, err)
		}
	}
}
