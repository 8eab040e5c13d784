package outbound_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/outbound"
)

func TestWhatNamesADestination(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"nats://results", "nats://results.search.done", "nats://A-b_c.1", "sqs://search-results", "sqs://Results_1", "sqs://ordered.fifo",
		"nats://" + strings.Repeat("a", 255), "sqs://" + strings.Repeat("a", 80),
	} {
		if d, err := outbound.Parse(raw); err != nil || d.String() != raw || !outbound.Is(raw) {
			t.Errorf("%s is read as %v, %v", raw, d, err)
		}
	}
	for raw, says := range map[string]string{
		"nats://":                              "must name a subject",
		"nats://baton":                         "not for results",
		"nats://baton.schedule.high":           "not for results",
		"nats://_INBOX.x":                      "not for results",
		"nats://$JS.API.STREAM.DELETE.BATON":   "of tokens",
		"nats://a..b":                          "of tokens",
		"nats://a.*":                           "of tokens",
		"nats://a.>":                           "of tokens",
		"nats://a b":                           "of tokens",
		"nats://user:pass@host":                "of tokens",
		"nats://host:4222/subject":             "of tokens",
		"nats://results?x=1":                   "of tokens",
		"nats://" + strings.Repeat("a", 256):   "255",
		"sqs://":                               "must name a queue",
		"sqs://a/b":                            "letters, digits",
		"sqs://.fifo":                          "letters, digits",
		"sqs://a.fifo.fifo":                    "letters, digits",
		"sqs://" + strings.Repeat("a", 81):     "80",
		"sqs://arn:aws:sqs:eu-west-1:1:search": "letters, digits",
	} {
		if _, err := outbound.Parse(raw); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", raw, err, says)
		}
	}
	for _, raw := range []string{"https://a.example.com/", "NATS://results", "nats:results", "sqs", ""} {
		if outbound.Is(raw) {
			t.Errorf("%q is taken for a destination", raw)
		}
	}
}

// FuzzParse holds that what the door takes is what the configuration can allow: the two have a reader each.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{"nats://results.search", "sqs://a.fifo", "nats://baton.x", "sqs://baton-x", "nats://a.>", "nats://_a"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		d, err := outbound.Parse(raw)
		tenant := &catalog.Tenant{CallbackQueues: []string{raw}}
		if err != nil && tenant.MayCallQueue(raw) {
			t.Errorf("%q may be called, and %v", raw, err)
		}
		if err == nil && d.String() != raw {
			t.Errorf("%q is read as %v", raw, d)
		}
	})
}

func TestWithoutARouteThereIsNoWay(t *testing.T) {
	t.Parallel()
	err := outbound.Routes(nil).Deliver(t.Context(), outbound.Destination{Scheme: outbound.SQS, Name: "q"}, outbound.Message{})
	if !errors.Is(err, outbound.ErrNotConfigured) {
		t.Error(err)
	}
}

func ExampleParse() {
	d, err := outbound.Parse("nats://results.search")
	fmt.Println(d.Scheme, d.Name, err)
	_, err = outbound.Parse("nats://baton.schedule.high")
	fmt.Println("callback_url", err)
	// Output:
	// nats results.search <nil>
	// callback_url names a subject that is not for results: none that begins with baton or _ is
}
