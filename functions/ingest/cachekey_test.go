package ingest_test

import (
	"net/http"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/catalog"
)

// keyed is a server whose models small and family keep answers, under a key that says what it is made of.
func keyed(t *testing.T) *fixture {
	return setup(t, configured(func(c *catalog.Catalog) {
		c.Models["small"].Cache = time.Minute
		c.Models["family"] = &catalog.Model{
			ID: "family", Cache: time.Minute, Group: []catalog.Member{{Model: "small", Weight: 1}},
		}
	}), func(c *ingest.Config) {
		c.CacheKey = func(tenant string, m *catalog.Model, r events.Request) string {
			prompt := ""
			if r.Prompt != nil {
				prompt = *r.Prompt
			}
			return tenant + "/" + m.ID + "/" + prompt + "/" + string(r.Messages) + "/" + string(r.Parameters["seed"])
		}
	})
}

func TestACacheKeyIsMadeOfWhatTheRequestSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, body, want string
		header           []string
	}{
		"a prompt":              {"/v1/inferences", `{"model_id":"small","prompt":"x","parameters":{"seed":7}}`, "search/small/x//7", nil},
		"messages":              {"/async-infer", `{"model_id":"small","messages":[{"role":"user","content":"x"}]}`, `search/small//[{"role":"user","content":"x"}]/`, nil},
		"a group":               {"/v1/inferences", `{"model_id":"family","prompt":"x"}`, "search/family/x//", nil},
		"an event":              {"/v1/events", envelope(`"data":{"model_id":"small","prompt":"x"}`), "search/small/x//", []string{"Content-Type", "application/cloudevents+json"}},
		"a model that has none": {"/v1/inferences", good, "", nil},
		"no-store":              {"/v1/inferences", smallGood, "", []string{"Cache-Control", "no-store"}},
		"no-cache":              {"/async-infer", smallGood, "", []string{"Cache-Control", `max-age=0, No-Cache="x, y"`}},
		"no-store of two":       {"/v1/inferences", smallGood, "", []string{"Cache-Control", "max-age=0", "Cache-Control", " no-store "}},
		"no-store of an event":  {"/v1/events", envelope(`"data":{"model_id":"small","prompt":"x"}`), "", []string{"Content-Type", "application/cloudevents+json", "Cache-Control", "no-store"}},
		"another directive":     {"/v1/inferences", smallGood, "search/small/Say hello.//", []string{"Cache-Control", `max-age=0, ext="no-store"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := keyed(t)
			if a := f.do(t, http.MethodPost, c.path, c.body, c.header...); a.status != 202 {
				t.Fatalf("answered %d: %s", a.status, a)
			}
			if all := f.published(t); len(all) != 1 || all[0].CacheKey != c.want {
				t.Errorf("%d events, key %q, want %q", len(all), all[0].CacheKey, c.want)
			}
		})
	}
}

func TestWithoutCachesThereAreNoKeys(t *testing.T) {
	t.Parallel()
	f := setup(t, configured(func(c *catalog.Catalog) { c.Models["small"].Cache = time.Minute }))
	f.accepted(t, smallGood)
	if all := f.published(t); all[0].CacheKey != "" {
		t.Errorf("key %q", all[0].CacheKey)
	}
}
