// Package catalog is baton.yaml: the models and their targets, the tenants, the callbacks' rules. It loads the file, says
// everything that is wrong with it at once and where, and watches it for changes.
//
// [Parse] and [Load] make a [Catalog] or a [*Faults]. A [Watch] holds the newest valid one of a file. [Catalog.CheckSecrets]
// says which secrets are not to be had, which the file alone does not show. No error or log of this package carries the value
// of a secret, a key, or a URL.
package catalog

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"baton.dev/baton/events"
)

// Catalog is one valid configuration. It is immutable, and safe for concurrent use: a change of the file, or of a file that holds
// one of its secrets, makes a new one. One made in code rather than by [Parse] is indexed at its first lookup and must not be
// changed after it.
type Catalog struct {
	Models     map[string]*Model
	Priorities map[events.Priority]int // weights, from 1; default high 8, normal 3, low 1
	Callbacks  Callbacks
	Fetch      Fetch
	Kafka      Kafka
	Limits     Limits
	Tenants    map[string]*Tenant // none: no key is accepted

	references []reference // to secrets, in the order they were read
	warnings   []Fault
	checked    atomic.Pointer[checked] // behind a pointer, so that a catalog that is printed shows no secret

	indexing sync.Once
	indexed  index
}

// Count returns how much the catalog has in words: 1 model, 2 tenants.
func (c *Catalog) Count() string {
	return count(len(c.Models), "model") + ", " + count(len(c.Tenants), "tenant")
}

// Model is a model that callers may name, and where it is to be had: at its targets or, if it is a group, as one of its members.
// What a group says of cache, attempts and fallback holds for the requests that name it, in place of what its members say.
type Model struct {
	ID       string        // 1 to 128 printable ASCII characters, none of them a space, '"' or '%'
	Strategy string        // weighted (the default), round_robin, least_latency or adaptive
	Cache    time.Duration // how long a result may be reused; 0, the default: never
	Attempts int           // the most attempts a request may make, over all targets; 1 to 20, default 4
	Fallback []string      // models to go on with, in order, when every target of this one was tried; none is a group
	Targets  []*Target     // one at least, unless it is a group
	Group    []Member      // the models it stands for, by their ids; empty: it is no group, and has targets
}

// Member is one of the models that a group stands for.
type Member struct {
	Model  string // the id of a model that is no group
	Weight int    // its share of the group's requests, from 1
}

// The strategies, by which a model's targets are chosen.
const (
	Weighted     = "weighted"
	RoundRobin   = "round_robin"
	LeastLatency = "least_latency"
	Adaptive     = "adaptive"
)

// Target is one place where a model can be called.
type Target struct {
	Name        string        // unique in the file; see [events.ValidTarget]
	Model       string        // what the target calls the model; default the id of the model it stands under
	API         string        // openai, oip-grpc, oip-http or simulated
	URL         string        // the base URL, without a slash at its end; empty for simulated
	Key         Secret        // the credential; empty: none is sent
	Weight      int           // share of the model's requests; default 1, 0: only when nothing else is left
	Canary      float64       // the share of requests, 0 to 1, that it takes whatever the weights; default 0
	Shadow      float64       // the share of requests, 0 to 1, of which it gets a copy to see how it does; default 0
	Concurrency int           // calls at once, from all processes together; 1 to 10000, default 64
	Price       Price         // default: nothing is counted
	MaxTokens   int           // of output, where a budget or TensorRT-LLM wants a bound and a request has none; default 4096
	Timeout     time.Duration // of one call; default 60s
	Simulate    *Simulate     // set for simulated targets, nil for others

	Auth      Auth              // how Key, or what stands in its place, is shown; zero: as a bearer token
	TLS       TLS               // default: the system's authorities, no certificate of our own
	Headers   map[string]string // sent with each call, as gRPC metadata too; lower-case names, no credential; default none
	OIP       OIP               // of oip targets
	FetchURLs bool              // images that the request names by URL are fetched by Baton and sent inline; default false
	Edge      bool              // infer of this target runs in another place, by baton edge; default false
}

// The APIs by which a target is called.
const (
	OpenAI    = "openai"
	OIPGRPC   = "oip-grpc"
	OIPHTTP   = "oip-http"
	Simulated = "simulated"
)

// Simulate is how a simulated model behaves.
type Simulate struct {
	P50       time.Duration // of the time to answer; default 120ms, or P99 if that is less
	P99       time.Duration // never less than P50; default 400ms, or P50 if that is more
	ErrorRate float64       // share of calls answered 503, 0 to 1; default 0
	Tokens    int           // in an answer; default 64
	Seed      uint64        // of what is random in it; default 1
}

// Callbacks is where results may be delivered, and how often it is tried.
type Callbacks struct {
	AllowNetworks []netip.Prefix  // private ranges that callbacks may reach all the same; default none
	AllowHTTP     bool            // plain http is allowed; default false
	Retries       []time.Duration // the delay before each try; default 0, 5s, 5m, 30m, 2h, 5h, 10h, 10h
	Timeout       time.Duration   // of one delivery; default 15s
}

// Fetch is where images may be fetched from, for targets with FetchURLs. What callbacks may reach says nothing about it: a
// result goes to the caller's own receiver, and what is fetched goes to a model that tells of it.
type Fetch struct {
	AllowNetworks []netip.Prefix // private ranges that may be fetched from all the same; default none
	AllowHTTP     bool           // plain http is allowed; default false
}

// Kafka is where requests are taken from beside HTTP. The zero value takes none.
type Kafka struct {
	Brokers  []string // host:port; one at least
	Group    string   // of consumers; default baton
	Username Secret   // SASL SCRAM-SHA-512; both or none
	Password Secret
	TLS      bool
}

// Limits bounds what is taken in.
type Limits struct {
	Inline   int64         // bytes of a part of a message above which it goes by reference; 1 KiB to 512 KiB, default 64 KiB
	Part     int64         // bytes of one part that goes by reference; at most 512 MiB, default 64 MiB, 0 where no part may
	File     int64         // bytes of a file that is uploaded; 1 KiB to 5 GiB, default 512 MiB
	Body     int64         // bytes of a request's body; default 256 KiB, at most 8 MiB
	Deadline time.Duration // of a request that names none; default 1h, at most 24h
}

// withDefaults returns a catalog without models and tenants, and with every default.
func withDefaults() *Catalog {
	return &Catalog{
		Models:     map[string]*Model{},
		Tenants:    map[string]*Tenant{},
		Priorities: map[events.Priority]int{events.High: 8, events.Normal: 3, events.Low: 1},
		Callbacks: Callbacks{
			Retries: []time.Duration{
				0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute,
				2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
			},
			Timeout: 15 * time.Second,
		},
		Limits: Limits{Inline: 64 << 10, Part: 64 << 20, File: 512 << 20, Body: 256 << 10, Deadline: time.Hour},
	}
}
