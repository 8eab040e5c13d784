package catalog

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount in millionths of whatever unit the prices are in.
type Money int64

// moneyPlaces is how many digits after the point Money has.
const moneyPlaces = 6

// Price is what a target's tokens cost, in billionths of the unit a token: 10.00 for a million tokens is 10,000.
type Price struct {
	Input, Output int64
}

// pricePlaces is how many digits after the point a price for a million tokens may have: the last of them is a billionth of the
// unit a token.
const pricePlaces = 3

// Budget is what a tenant may spend in each period, all of UTC. The zero value is no bound.
type Budget struct {
	Amount Money
	Period Period
}

// Period is how long a budget lasts: hour, day or month.
type Period string

// The periods.
const (
	Hour  Period = "hour"
	Day   Period = "day"
	Month Period = "month"
)

// String returns the amount as a decimal with two digits after the point, and more where they are not zeros: 12.50, -0.000001.
// [ParseMoney] reads it back.
func (m Money) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n // of the least amount too, whose opposite is no int64
	}
	digits := fmt.Sprintf("%0*d", moneyPlaces+1, n)
	whole, fraction := digits[:len(digits)-moneyPlaces], digits[len(digits)-moneyPlaces:]
	return sign + whole + "." + fraction[:2] + strings.TrimRight(fraction[2:], "0")
}

// ParseMoney returns the amount that a decimal such as 12, 12.50 or -0.000001 says, exactly: one that has more than six digits
// after the point, or that Money cannot hold, is an error.
func ParseMoney(s string) (Money, error) {
	digits, negative := strings.CutPrefix(s, "-")
	n, ok := decimal(digits, moneyPlaces)
	switch {
	case !ok:
		return 0, errors.New("catalog: parse money: expected a decimal with six digits at most after the point, such as 12.50")
	case negative && n <= -math.MinInt64:
		return Money(-n), nil
	case !negative && n <= math.MaxInt64:
		return Money(n), nil
	default:
		return 0, errors.New("catalog: parse money: the amount is out of range")
	}
}

// decimal returns a decimal without a sign as a whole number of what its last place counts, where it has the given number of
// places after the point. It is not ok if s is none, has more places, begins with a zero too many, or is over an uint64.
func decimal(s string, places int) (n uint64, ok bool) {
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || point && fraction == "" || len(fraction) > places || len(whole) > 1 && whole[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	return n, err == nil
}
