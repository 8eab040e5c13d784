package ledger

import (
	"math/bits"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
)

// Cost returns what the tokens of an attempt cost, rounded up to a millionth of the unit. Tokens that are in the total and
// in neither part, as some servers count those of reasoning, are output. An attempt that called a model and of whose usage
// nothing is known is to be settled at [Most].
func Cost(p catalog.Price, u events.Usage) catalog.Money {
	in, out := tokens(u)
	return cost(p, in, out)
}

// tokens returns what a usage counts, within bounds: what a server says may be anything.
func tokens(u events.Usage) (in, out int64) {
	in, out = bounded(int64(u.PromptTokens)), bounded(int64(u.CompletionTokens))
	return in, max(out, bounded(int64(u.TotalTokens)-in))
}

// maxTokens is more than any attempt takes, and little enough that sums of it do not overflow.
const maxTokens = 1 << 40

func bounded(tokens int64) int64 { return min(max(tokens, 0), maxTokens) }

// cost is exact, rounded up, and [MaxMoney] at most.
func cost(p catalog.Price, in, out int64) catalog.Money {
	high, low := bits.Mul64(uint64(max(p.Input, 0)), uint64(in))
	high2, low2 := bits.Mul64(uint64(max(p.Output, 0)), uint64(out))
	low, carry := bits.Add64(low, low2, 0)
	high += high2 + carry   // each is less than 2^39
	const billionths = 1000 // of the unit in a millionth
	if high >= billionths {
		return MaxMoney
	}
	amount, rest := bits.Div64(high, low, billionths)
	if rest > 0 {
		amount++
	}
	return catalog.Money(min(amount, uint64(MaxMoney)))
}
