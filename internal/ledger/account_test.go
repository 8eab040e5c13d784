package ledger_test

import (
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/ledger"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 3*3600)
	for _, c := range []struct {
		period        catalog.Period
		now           time.Time
		name          string
		ends, expires string
	}{
		{catalog.Hour, time.Date(2026, 11, 24, 13, 59, 59, 9, time.UTC), "search/2026-11-24T13", "2026-11-24T14:00:00Z", "2026-11-24T16:00:00Z"},
		{catalog.Hour, time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), "search/2026-12-31T23", "2027-01-01T00:00:00Z", "2027-01-01T02:00:00Z"},
		{catalog.Day, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), "search/2026-11-24", "2026-11-25T00:00:00Z", "2026-11-27T00:00:00Z"},
		{catalog.Day, time.Date(2026, 11, 25, 1, 0, 0, 0, east), "search/2026-11-24", "2026-11-25T00:00:00Z", "2026-11-27T00:00:00Z"},
		{catalog.Day, time.Date(2028, 2, 28, 12, 0, 0, 0, time.UTC), "search/2028-02-28", "2028-02-29T00:00:00Z", "2028-03-02T00:00:00Z"},
		{catalog.Month, time.Date(2026, 1, 31, 23, 59, 0, 0, time.UTC), "search/2026-01", "2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		{catalog.Month, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), "search/2026-12", "2027-01-01T00:00:00Z", "2027-03-01T00:00:00Z"},
	} {
		name, ends := ledger.Account("search", catalog.Budget{Amount: 1, Period: c.period}, c.now)
		if name != c.name || ends.Format(time.RFC3339) != c.ends {
			t.Errorf("%s of %v: %s until %v, want %s until %s", c.period, c.now, name, ends, c.name, c.ends)
		}
		if got := ledger.Expiry(name, c.now).Format(time.RFC3339); got != c.expires {
			t.Errorf("%s is kept until %s, want %s", name, got, c.expires)
		}
	}
	if name, ends := ledger.Account("search", catalog.Budget{}, time.Now()); name != "" || !ends.IsZero() {
		t.Errorf("no budget has the account %q until %v", name, ends)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"", "x", "search/2026-13", "search/2026-11-31", "search/always"} {
		if got := ledger.Expiry(name, now); !got.Equal(now.AddDate(0, 0, 62)) {
			t.Errorf("%q is kept until %v", name, got)
		}
	}
}
