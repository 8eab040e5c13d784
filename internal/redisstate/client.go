package redisstate

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// patience is how long one dial, one write or one read may take, where the URL does not say (dial_timeout and the like).
// A server in the same network answers within a few milliseconds; what waits for it has a request in its hands.
const patience = 500 * time.Millisecond

// Options is how the client of [Open] is set. The zero value is that of a process which lives long.
type Options struct {
	// MaxIdle is how long a connection may have been idle to be used again; default 30 min, go-redis's own. A process that
	// is frozen between calls wants less than after what time its network forgets a connection without a word.
	MaxIdle time.Duration
	// DialTimeout bounds a dial, TLS included; default 500 ms. A process with a small share of a core wants more.
	DialTimeout time.Duration
}

// Open returns a client of the server that the URL names: one that knows clusters where ElastiCache's name of the endpoint
// says that it is one. It connects when it is used, and is the caller's to close.
//
// The client fails fast: dials, reads and writes have 500 ms, or what the URL says, a command is tried twice at most, and
// after three commands in a row that did not reach the server none is sent for a second, then one to see. Such errors are
// [ErrAway]. An error of Open does not show the URL, which may hold a password.
func Open(url string, o Options) (redis.UniversalClient, error) {
	single, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("redisstate: not a URL such as rediss://host:6379")
	}
	if !isCluster(single.Addr) {
		single.DialTimeout = first(single.DialTimeout, o.DialTimeout, patience)
		single.ReadTimeout = first(single.ReadTimeout, patience)
		single.WriteTimeout = first(single.WriteTimeout, patience)
		single.PoolTimeout = first(single.PoolTimeout, patience)
		single.MaxRetries, single.DialerRetries = 1, 1
		single.ConnMaxIdleTime = first(single.ConnMaxIdleTime, o.MaxIdle)
		single.ContextTimeoutEnabled = true
		single.MaintNotificationsConfig = noNotifications()
		client := redis.NewClient(single)
		client.AddHook(newGuard())
		return client, nil
	}
	cluster, err := redis.ParseClusterURL(url)
	if err != nil || single.DB != 0 {
		return nil, errors.New("redisstate: not a URL of a cluster, which has one database and options of its own")
	}
	cluster.DialTimeout = first(cluster.DialTimeout, o.DialTimeout, patience)
	cluster.ReadTimeout = first(cluster.ReadTimeout, patience)
	cluster.WriteTimeout = first(cluster.WriteTimeout, patience)
	cluster.PoolTimeout = first(cluster.PoolTimeout, patience)
	cluster.MaxRedirects, cluster.DialerRetries = 2, 1 // a key that moved, and a node that went away
	cluster.ConnMaxIdleTime = first(cluster.ConnMaxIdleTime, o.MaxIdle)
	cluster.ContextTimeoutEnabled = true
	cluster.MaintNotificationsConfig = noNotifications()
	client := redis.NewClusterClient(cluster)
	client.AddHook(newGuard())
	return client, nil
}

// first returns the first duration that is set.
func first(of ...time.Duration) time.Duration {
	for _, d := range of {
		if d != 0 {
			return d
		}
	}
	return 0
}

// noNotifications turns off what only Redis Cloud has.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// isCluster reports whether the address is an endpoint of ElastiCache that wants clients to know clusters: the
// configuration endpoint of one, or a serverless cache.
func isCluster(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && strings.HasSuffix(host, ".cache.amazonaws.com") &&
		(strings.HasPrefix(host, "clustercfg.") || strings.Contains(host, ".serverless."))
}
