package callback

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/limit"
)

// The headers of the handshake (CloudEvents HTTP 1.1 Web Hooks 1.0, section 4).
const (
	headerOrigin        = "WebHook-Request-Origin"
	headerRate          = "WebHook-Request-Rate"
	headerAllowedOrigin = "WebHook-Allowed-Origin"
	headerAllowedRate   = "WebHook-Allowed-Rate"
)

const (
	// defaultOrigin is who calls, where the process is not told another name.
	defaultOrigin = "baton.dev"
	// defaultRate is how many deliveries a minute are asked for, for a tenant without a rate of its own.
	defaultRate = 60_000
)

// How long an answer holds: a receiver that agreed is not asked with each delivery, and one that did not may be mended.
const (
	agreedFor  = 24 * time.Hour
	refusedFor = 5 * time.Minute
	// rememberAtMost bounds the answers that are kept; a receiver whose answer is gone is asked again.
	rememberAtMost = 8192
)

// agreement is what a receiver answered.
type agreement struct {
	refused string     // why it may not be called; empty: it may
	rate    limit.Rate // how often; the zero Rate: as often as there is something
	until   time.Time
	used    *limit.Memory // what this process used of the rate
}

// handshakes keeps what receivers answered, by tenant and address without its query: a tenant must not spoil an address for
// another, and a query is often another for each request. Of those that ask at once one does, and all wait for it.
type handshakes struct {
	known  *otter.Cache[string, agreement]
	asking *singleflight.Group
}

func newHandshakes() handshakes {
	return handshakes{
		// Without an expiry of otter's own, which would go by its clock and a goroutine: agreements say until when.
		known:  otter.Must(&otter.Options[string, agreement]{MaximumSize: rememberAtMost}),
		asking: &singleflight.Group{},
	}
}

// agreed returns nil if the receiver has agreed to be called and it is not too soon to do so; otherwise what becomes of the
// event. A receiver that did not agree is blocked, like an address that may not be reached. One that could not be asked is
// tried again by the schedule. A delivery above the rate is put off, and no try is counted.
func (c *Callback) agreed(ctx context.Context, cat *catalog.Catalog, t *catalog.Tenant, in events.Event) error {
	u, err := url.Parse(in.CallbackURL)
	if err != nil {
		return hop.Reject(events.ReasonBlocked, errURL)
	}
	place := u.Scheme + "://" + u.Host + u.EscapedPath()
	a, err := c.agreement(ctx, cat, t, t.Name+" "+place, u)
	unwilling, asked := err.(*unwillingError) //nolint:errorlint // as agreement returns it
	switch {
	case err == nil:
	case ended(ctx) != nil:
		return ended(ctx)
	case asked:
		return again(cat.Callbacks.Retries, in, c.named(unwilling.retryAfter), err)
	case refusedForGood(err):
		return hop.Reject(events.ReasonBlocked, err)
	default:
		return again(cat.Callbacks.Retries, in, 0, err)
	}
	if a.refused != "" {
		return hop.Reject(events.ReasonBlocked, fmt.Errorf(
			"callback: deliver to %s: the receiver has not agreed to be called by %s: %s", u.Host, c.origin, a.refused))
	}
	return c.paced(ctx, cat, a, place, u.Host, in)
}

// agreement returns what the receiver answers, or has answered of late. Whoever asks does so for all who wait, and does not stop
// because the delivery that asked first does: it has the time of a delivery of its own.
func (c *Callback) agreement(
	ctx context.Context, cat *catalog.Catalog, t *catalog.Tenant, key string, u *url.URL,
) (agreement, error) {
	if a, ok := c.asked.known.GetIfPresent(key); ok && c.now().Before(a.until) {
		return a, nil
	}
	answered := c.asked.asking.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), timeout(cat), errSlow)
		defer cancel()
		a, err := c.ask(ctx, t, u)
		if err == nil {
			c.asked.known.Set(key, a)
		}
		return a, err
	})
	select {
	case given := <-answered:
		a, _ := given.Val.(agreement)
		return a, given.Err
	case <-ctx.Done():
		err := ctx.Err()
		return agreement{}, &postError{host: u.Host, what: "ask whether it may be called: " + describe(err), err: err}
	}
}

// unwillingError says that the receiver did not answer for now.
type unwillingError struct {
	host       string
	status     int
	retryAfter string
}

func (e *unwillingError) Error() string {
	return fmt.Sprintf("callback: ask %s whether it may be called: status %d", e.host, e.status)
}

// ask asks the receiver.
func (c *Callback) ask(ctx context.Context, t *catalog.Tenant, u *url.URL) (agreement, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, u.String(), http.NoBody)
	if err != nil {
		return agreement{}, errURL
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set(headerOrigin, c.origin)
	req.Header.Set(headerRate, strconv.Itoa(askedRate(t)))
	resp, err := c.client.Do(req)
	if err != nil {
		return agreement{}, &postError{host: u.Host, what: "ask whether it may be called: " + describe(err), err: err}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	_ = resp.Body.Close()
	if undecided(resp.StatusCode) {
		return agreement{}, &unwillingError{u.Host, resp.StatusCode, resp.Header.Get("Retry-After")}
	}
	a := c.read(resp.StatusCode, resp.Header)
	a.until = c.now().Add(agreedFor)
	if a.refused != "" {
		a.until = c.now().Add(refusedFor)
	}
	return a, nil
}

// undecided reports whether the status says nothing of what the receiver would answer another time.
func undecided(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// askedRate returns how many deliveries a minute the tenant may make at its own rate.
func askedRate(t *catalog.Tenant) int {
	if t.Rate <= 0 {
		return defaultRate
	}
	return int(min(max(math.Ceil(t.Rate*60), 1), math.MaxInt32))
}

// read reads the answer (section 4.2). A receiver that does not know the handshake answers without the header, and has not
// agreed.
func (c *Callback) read(status int, h http.Header) agreement {
	a := agreement{used: limit.NewMemory()}
	switch {
	case status < 200 || status > 299:
		a.refused = fmt.Sprintf("it answers OPTIONS with status %d", status)
	case h.Get(headerAllowedOrigin) == "":
		a.refused = "its answer to OPTIONS has no " + headerAllowedOrigin
	case !allowsOrigin(h.Values(headerAllowedOrigin), c.origin):
		a.refused = headerAllowedOrigin + " in its answer to OPTIONS is another"
	default:
		var ok bool
		if a.rate, ok = allowedRate(strings.TrimSpace(h.Get(headerAllowedRate))); !ok {
			a.refused = headerAllowedRate + " in its answer to OPTIONS is neither * nor a number of deliveries a minute"
		}
	}
	return a
}

func allowsOrigin(values []string, origin string) bool {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.EqualFold(one, origin) {
				return true
			}
		}
	}
	return false
}

// allowedRate returns the rate of so many deliveries a minute. A quarter of them may go at once, and what follows goes so
// evenly that no minute has more than was agreed to.
func allowedRate(value string) (r limit.Rate, ok bool) {
	if value == "" || value == "*" {
		return limit.Rate{}, true
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return limit.Rate{}, false
	}
	if n < 4 {
		return limit.Rate{PerSecond: float64(n) / 60, Burst: 1}, true
	}
	return limit.Rate{PerSecond: float64(n-n/4) / 60, Burst: n / 4}, true
}
