package catalog

import (
	"regexp"
)

// Bounds of amounts. They are far above any, and keep what is made of them exact: a call's tokens times a price in an int64,
// and a budget also in a float64, which is all that a script in Redis has for numbers.
const (
	maxPrice  = 1_000_000_000              // of a million tokens, in thousandths of the unit: one unit a token
	maxBudget = 1_000_000_000 * Money(1e6) // a thousand million units
	maxOutput = 10_000_000                 // tokens
)

func (r *reader) price(v value) Price {
	var p Price
	has := r.object(v, fields{
		"input":  func(v value) { p.Input = r.perMillion(v) },
		"output": func(v value) { p.Output = r.perMillion(v) },
	})
	if has != nil && len(has) == 0 {
		r.failf(v, "is empty: give input, output or both, of a million tokens, such as {input: 2.50, output: 10}")
	}
	return p
}

// perMillion reads the price of a million tokens and returns it in billionths a token. It takes the number as it is written:
// one that went through a float is not always what was meant.
func (r *reader) perMillion(v value) int64 {
	const want = "the price of a million tokens, such as 10 or 2.50"
	if !isNumber(v.node) {
		r.wrong(v, want)
		return 0
	}
	n, ok := decimal(v.node.GetToken().Value, pricePlaces)
	switch {
	case !ok:
		r.failf(v, "is no price: expected %s, with %d digits at most after the point", want, pricePlaces)
	case n > maxPrice:
		r.failf(v, "is out of range: expected 1000000 at most, for a million tokens")
	default:
		return int64(n)
	}
	return 0
}

var perPeriod = regexp.MustCompile(`^([0-9.]+)/(hour|day|month)$`)

func (r *reader) budget(v value) Budget {
	const want = "an amount and its period, such as 25.00/day (hour, day or month)"
	s, ok := textOf(v.node)
	if !ok {
		if isNumber(v.node) {
			r.failf(v, "has no period: expected %s", want)
		} else {
			r.wrong(v, want)
		}
		return Budget{}
	}
	m := perPeriod.FindStringSubmatch(s)
	if m == nil {
		r.failf(v, "is no budget: expected %s", want)
		return Budget{}
	}
	amount, err := ParseMoney(m[1])
	switch {
	case err != nil:
		r.failf(v, "is no amount: expected a decimal with %d digits at most after the point, such as 25.00/day", moneyPlaces)
	case amount == 0:
		r.failf(v, "must be more than 0: leave the key out for no bound")
	case amount > maxBudget:
		r.failf(v, "is out of range: expected 1000000000 at most")
	default:
		return Budget{Amount: amount, Period: Period(m[2])}
	}
	return Budget{}
}
