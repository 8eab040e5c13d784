package schedule_test

import (
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/catalog"
)

func TestNoModelIsCalledForATenantThatMayNotUseIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tenants map[string]*catalog.Tenant
		fails   bool
	}{
		"a tenant that may use every model":        {map[string]*catalog.Tenant{"t": {Models: []string{"*"}}}, false},
		"a tenant that may use the model":          {map[string]*catalog.Tenant{"t": {Models: []string{"x", "m"}}}, false},
		"a tenant that may not use the model":      {map[string]*catalog.Tenant{"t": {Models: []string{"x"}}}, true},
		"a tenant that is gone":                    {map[string]*catalog.Tenant{"u": {Models: []string{"*"}}}, true},
		"a tenant of a configuration without them": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			offered := offering(model("m", target("a", 1)))
			offered.Tenants = c.tenants
			r := newRig(t, offered, schedule.Config{})
			for _, in := range []events.Event{request(1), failedAt(request(1), "a", events.CodeTimeout)} {
				switch out := r.one(in); {
				case c.fails:
					expectFailed(t, out, events.CodeModelNotOffered)
				case out.Type != events.Scheduled:
					t.Errorf("emitted %s", out.Type.Step())
				}
			}
		})
	}
}

func TestATenantThatIsGoneKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := newCached(t, nil)
	in := c.asked(1, false)
	c.one(in)
	c.catalog.Tenants = map[string]*catalog.Tenant{"u": {Models: []string{"*"}}}
	expectFailed(t, c.one(failedAt(in, "a", events.CodeTimeout)), events.CodeModelNotOffered)
	if !c.answers.Lead(t.Context(), "key", "another", time.Minute) {
		t.Error("nobody else leads")
	}
}
