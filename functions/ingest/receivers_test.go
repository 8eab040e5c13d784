package ingest_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
)

// reaching is a server with ways to the queues, whose tenant search may use some.
func reaching(schemes ...string) option {
	return func(cfg *ingest.Config) {
		cat := testCatalog()
		cat.Tenants["search"].CallbackQueues = []string{"nats://results.>", "sqs://search-results"}
		cat.Tenants["mute"].CallbackQueues = []string{"nats://results.>"}
		cfg.Catalog, cfg.Queues = func() *catalog.Catalog { return cat }, schemes
	}
}

func TestCallbacksToQueuesAreTakenWhereTheyAreAllowed(t *testing.T) {
	t.Parallel()
	f := setup(t, reaching("nats", "sqs"))
	for _, url := range []string{"nats://results.search", "sqs://search-results"} {
		f.accepted(t, `{"model_id":"small","prompt":"p","callback_url":"`+url+`"}`)
		if got := f.published(t); len(got) != 1 || got[0].CallbackURL != url {
			t.Errorf("published %v", got)
		}
	}
}

func TestACallbackToAQueueThatIsNotAllowedSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, url, key string
		schemes        []string
		status         int
		says           string
	}{
		{"another subject", "nats://other.search", searchKey, []string{"nats"}, 403, "a queue that this key's callbacks may not go to"},
		{"another queue", "sqs://other", searchKey, []string{"sqs"}, 403, "a queue that this key's callbacks may not go to"},
		{"a tenant without queues", "nats://results.a", narrowKey, []string{"nats"}, 403, "may not go to"},
		{"the chain's own", "nats://baton.schedule.high", searchKey, []string{"nats"}, 422, "not for results"},
		{"a wildcard", "nats://results.*", searchKey, []string{"nats"}, 422, "tokens"},
		{"no way to queues", "nats://results.a", searchKey, nil, 422, "this chain delivers to no queues"},
		{"no way to this one", "sqs://search-results", searchKey, []string{"nats"}, 422, "no way to sqs://"},
		{"nothing to sign with", "nats://results.a", muteKey, []string{"nats"}, 422, "no secret"},
		{"another case", "NATS://results.a", searchKey, []string{"nats"}, 422, "https"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, reaching(tc.schemes...))
			for pointer, field := range map[string]string{
				"/callback_url": `"callback_url":"` + tc.url + `"`, "/callbacks/0/url": `"callbacks":[{"url":"` + tc.url + `"}]`,
			} {
				a := f.post(t, `{"model_id":"small","prompt":"p",`+field+`}`, "Authorization", "Bearer "+tc.key)
				if a.status != tc.status {
					t.Fatalf("%d: %s", a.status, a)
				}
				p := a.problem(t)
				if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer || !strings.Contains(p.Errors[0].Detail, tc.says) {
					t.Errorf("%+v, want it to say %q", p, tc.says)
				}
			}
		})
	}
}

func TestSeveralCallbacksTravelWithTheRequest(t *testing.T) {
	t.Parallel()
	f := setup(t, reaching("nats"))
	f.accepted(t, `{"model_id":"small","prompt":"p","callback_url":"https://a.example.com/","callbacks":[
		{"url":"https://b.example.com/?x=y+z"},{"url":"nats://results.b","events":["attempt_failed","failed"]}]}`)
	got := f.published(t)
	if len(got) != 1 {
		t.Fatal(got)
	}
	list, err := events.DecodeCallbacks(got[0].Callbacks)
	want := []events.CallbackRequest{
		{URL: "https://b.example.com/?x=y+z", Events: []string{"completed", "failed"}},
		{URL: "nats://results.b", Events: []string{"attempt_failed", "failed"}},
	}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAReceiverThatIsNamedTwiceIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ body, want string }{
		"as the callback URL and among the callbacks": {
			`"callback_url":"https://a.example.com/","callbacks":[{"url":"https://a.example.com/"},{"url":"https://b.example.com/","events":["failed"]}]`,
			"failed=https://b.example.com/",
		},
		"as the callback URL alone": {
			`"callback_url":"https://a.example.com/","callbacks":[{"url":"https://a.example.com/","events":["failed"]}]`, "",
		},
		"as the callback URL, which is not told all of it": {
			`"callback_url":"https://a.example.com/","callbacks":[{"url":"https://a.example.com/","events":["failed","attempt_failed"]}]`,
			"attempt_failed=https://a.example.com/",
		},
		"among the callbacks, for other events": {
			`"callbacks":[{"url":"https://a.example.com/","events":["failed"]},{"url":"https://b.example.com/"},{"url":"https://a.example.com/"}]`,
			"completed+failed=https://a.example.com/ completed+failed=https://b.example.com/",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			f.accepted(t, `{"model_id":"small","prompt":"p",`+tc.body+`}`)
			if got := f.published(t); len(got) != 1 || got[0].Callbacks != tc.want {
				t.Errorf("got %q, want %q", got[0].Callbacks, tc.want)
			}
		})
	}
}

func TestEachOfSeveralCallbacksIsCheckedAtTheDoor(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.post(t, `{"model_id":"small","prompt":"p","callbacks":[{"url":"https://fine.example.com/"},{"url":"http://plain.example.com/"},
		{"url":"https://127.0.0.1/"},{"events":["completed"]},{"url":"https://fine.example.com/","events":["started"]},5]}`)
	p := a.problem(t)
	said := map[string]string{}
	for _, e := range p.Errors {
		said[e.Pointer] = e.Detail
	}
	for pointer, says := range map[string]string{
		"/callbacks/1/url": "https", "/callbacks/2/url": "loopback", "/callbacks/3/url": "is required", "/callbacks/4/events/0": "", "/callbacks/5": "",
	} {
		if detail, ok := said[pointer]; !ok || !strings.Contains(detail, says) {
			t.Errorf("%s: %q of %v", pointer, detail, said)
		}
	}
	if a.status != http.StatusUnprocessableEntity || len(said) != 5 {
		t.Errorf("%d: %v", a.status, said)
	}
	many := strings.Repeat(`{"url":"https://a.example.com/"},`, 8) + `{"url":"http://ninth.example.com/"}`
	p = f.post(t, `{"model_id":"small","prompt":"p","callbacks":[`+many+`]}`).problem(t)
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/callbacks" {
		t.Errorf("%+v", p)
	}
	a = f.post(t, `{"model_id":"small","prompt":"p","callbacks":[{"url":"https://elsewhere.example.org/"}]}`, "Authorization", "Bearer "+narrowKey)
	if p := a.problem(t); a.status != http.StatusForbidden || p.Errors[0].Pointer != "/callbacks/0/url" {
		t.Errorf("%d %+v", a.status, p)
	}
}
