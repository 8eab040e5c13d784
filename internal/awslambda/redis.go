package awslambda

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// maxIdle is how long a connection may have been idle to be used again: less than the 350 s after which AWS's networks
// forget it without a word, as happens to a process that Lambda froze.
const maxIdle = time.Minute

// openRedis returns a client of the server that the URL names: one that knows clusters where ElastiCache's name of the
// endpoint says that it is one. It connects when it is used. Errors do not show the URL, which may hold a password.
func openRedis(url string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("awslambda: BATON_REDIS_URL is no URL such as rediss://host:6379")
	}
	if !isCluster(o.Addr) {
		o.ContextTimeoutEnabled, o.ConnMaxIdleTime = true, maxIdle
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // Redis Cloud's alone
		return redis.NewClient(o), nil
	}
	c, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, errors.New("awslambda: BATON_REDIS_URL: the URL of a cluster has no database")
	}
	c.ContextTimeoutEnabled, c.ConnMaxIdleTime = true, maxIdle
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(c), nil
}

// isCluster reports whether the address is an endpoint of ElastiCache that wants clients to know clusters: the
// configuration endpoint of one, or a serverless cache.
func isCluster(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && strings.HasSuffix(host, ".cache.amazonaws.com") &&
		(strings.HasPrefix(host, "clustercfg.") || strings.Contains(host, ".serverless."))
}
