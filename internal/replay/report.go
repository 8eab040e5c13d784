package replay

import (
	"time"

	"baton.dev/baton/internal/catalog"
)

// Report is what would have changed: what was recorded, beside what the replay came to.
type Report struct {
	From     time.Time `json:"from"` // of the trace
	To       time.Time `json:"to"`
	Seed     uint64    `json:"seed"`
	Recorded Side      `json:"recorded"`
	Replayed Side      `json:"replayed"`
	Notes    []string  `json:"notes"` // what the figures do not say
}

// Side is the figures of one of the two. An attempt is a call of a model; shadows are none.
type Side struct {
	Requests           int             `json:"requests"`
	Completed          int             `json:"completed"`
	Cached             int             `json:"cached"` // of the completed: without a call
	Failed             int             `json:"failed"`
	FailedByCode       map[string]int  `json:"failed_by_code"`
	Unfinished         int             `json:"unfinished"`
	Latency            Latency         `json:"latency_ms"`  // from acceptance to the result, of the requests that ended
	QueueShare         float64         `json:"queue_share"` // of that time: what was not spent in calls, 0 to 1
	Attempts           int             `json:"attempts"`
	AttemptsPerRequest float64         `json:"attempts_per_request"`
	Cost               catalog.Money   `json:"cost_millionths"` // of the unit that the prices are in
	Targets            []TargetFigures `json:"targets"`         // by name
}

// Latency in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// TargetFigures are those of one target.
type TargetFigures struct {
	Target    string        `json:"target"`
	Attempts  int           `json:"attempts"`
	Share     float64       `json:"share"` // of all attempts
	Errors    int           `json:"errors"`
	ErrorRate float64       `json:"error_rate"`
	MeanMS    float64       `json:"mean_ms"` // of a call
	Shadows   int           `json:"shadows"`
	Cost      catalog.Money `json:"cost_millionths"` // shadows included
	Unpriced  bool          `json:"unpriced"`        // the prices to reckon with do not have the target
}
