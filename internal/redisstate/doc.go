// Package redisstate keeps in Redis or Valkey what the processes of the chain share: leases, bulkheads, health, cached
// answers, the ledger and limits. Each is the store of another package, which has the logic and a store in memory as well.
//
// Durability: none is counted on. Redis is an accelerator: a server that is away or has lost everything costs extra calls
// and looser bounds, never a request. The one exception is a tenant with a budget, whose work waits for the ledger. The
// server may evict (maxmemory-policy volatile-ttl or volatile-lru) where it keeps nothing else; every key has an expiry.
// Failure: every error of a server that cannot be reached is [ErrAway], and comes fast: see [Open].
// Atomicity: each step is one script or one command. The keys of one step share a hash tag, and so a slot of a cluster.
// Time: that of the caller, which comes as an argument. Redis's own clock only ends keys that nobody needs any more.
// Keys: all begin with "baton:".
package redisstate
