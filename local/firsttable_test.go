package local_test

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// quantile returns what the given share of the pairs stays below.
func quantile(all []pair, share float64, of func(pair) time.Duration) time.Duration {
	took := make([]time.Duration, len(all))
	for i, p := range all {
		took[i] = of(p)
	}
	slices.Sort(took)
	return took[min(int(share*float64(len(took))), len(took)-1)]
}

// firstTable says how long first tokens took, and where the time went.
func firstTable(all []pair) string {
	var b strings.Builder
	rowOf := func(all []pair, what string, of func(pair) time.Duration) {
		fmt.Fprintf(&b, "  %-58s", what)
		for _, share := range []float64{0.5, 0.9, 0.99} {
			fmt.Fprintf(&b, " %8.2f", float64(quantile(all, share, of))/float64(time.Millisecond))
		}
		b.WriteByte('\n')
	}
	row := func(what string, of func(pair) time.Duration) { rowOf(all, what, of) }
	through := func(p pair) time.Duration { return p.through.took() }
	direct := func(p pair) time.Duration { return p.direct.took() }
	var both []pair
	for _, p := range all {
		if !p.direct.sent.IsZero() {
			both = append(both, p)
		}
	}
	fmt.Fprintf(&b, "  %-58s %8s %8s %8s\n", "ms", "P50", "P90", "P99")
	row("request to first token, through the chain", through)
	rowOf(both, "the same from the model itself, with each tenth", direct)
	row("through the chain, less the model's own time", pair.added)
	row("first token, from the model to the caller, through", func(p pair) time.Duration { return p.through.came.Sub(p.through.out) })
	rowOf(both, "the same from the model itself", func(p pair) time.Duration { return p.direct.came.Sub(p.direct.out) })
	if *firstWay {
		firstStages(&b, row)
	}
	fmt.Fprintf(&b, "  ratio through to direct %14s", "")
	for _, share := range []float64{0.5, 0.9, 0.99} {
		fmt.Fprintf(&b, " %8.2f", float64(quantile(all, share, through))/float64(quantile(both, share, direct)))
	}
	return b.String() + "\n"
}

// firstStages says where the time went.
func firstStages(b *strings.Builder, row func(string, func(pair) time.Duration)) {
	b.WriteString("  of the way through:\n")
	row("  request sent to accepted at the broker", func(p pair) time.Duration { return p.accepted.Sub(p.through.sent) })
	row("  to scheduled at the broker", func(p pair) time.Duration { return p.scheduled.Sub(p.accepted) })
	row("  to the model asked", func(p pair) time.Duration { return p.through.asked.Sub(p.scheduled) })
	row("  the model thinks", func(p pair) time.Duration { return p.through.out.Sub(p.through.asked) })
	row("  first token to the broker", func(p pair) time.Duration { return p.token.Sub(p.through.out) })
	row("  to the caller", func(p pair) time.Duration { return p.through.came.Sub(p.token) })
}
