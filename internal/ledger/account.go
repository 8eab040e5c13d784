package ledger

import (
	"strings"
	"time"

	"baton.dev/baton/internal/catalog"
)

// forms are how the start of each period stands in the name of an account, in UTC. Each has a length of its own.
var forms = map[catalog.Period]string{
	catalog.Hour:  "2006-01-02T15",
	catalog.Day:   "2006-01-02",
	catalog.Month: "2006-01",
}

// Account returns the name of the tenant's account for the period that now is in, as search/2026-11-24, and when that
// period ends. A budget without a period has no account: the name is "".
func Account(tenant string, b catalog.Budget, now time.Time) (name string, ends time.Time) {
	form, ok := forms[b.Period]
	if !ok {
		return "", time.Time{}
	}
	start := now.UTC().Format(form)
	first, err := time.Parse(form, start)
	if err != nil { // a year that has not four digits
		return "", time.Time{}
	}
	return tenant + "/" + start, after(b.Period, first, 1)
}

// Expiry returns when an account may be forgotten: two periods after the end of its own. What was reserved in it is
// settled in it, though a later period has begun. A name that is not one of [Account] lasts for 62 days from now.
func Expiry(account string, now time.Time) time.Time {
	start := account[strings.LastIndexByte(account, '/')+1:]
	for period, form := range forms {
		if len(start) != len(form) {
			continue
		}
		if first, err := time.Parse(form, start); err == nil {
			return after(period, first, 3)
		}
	}
	return now.AddDate(0, 0, 62)
}

// after returns the start of the n-th period after the one that starts at first.
func after(p catalog.Period, first time.Time, n int) time.Time {
	switch p {
	case catalog.Hour:
		return first.Add(time.Duration(n) * time.Hour)
	case catalog.Day:
		return first.AddDate(0, 0, n)
	default:
		return first.AddDate(0, n, 0)
	}
}
