package catalog

import (
	"fmt"
	"math"
	"testing"
)

func TestMoneyIsWrittenAndReadExactly(t *testing.T) {
	t.Parallel()
	for m, want := range map[Money]string{
		0:             "0.00",
		1:             "0.000001",
		10:            "0.00001",
		100_000:       "0.10",
		120_000:       "0.12",
		123_000:       "0.123",
		1_000_000:     "1.00",
		12_340_001:    "12.340001",
		25_000_000:    "25.00",
		-1:            "-0.000001",
		-1_500_000:    "-1.50",
		math.MaxInt64: "9223372036854.775807",
		math.MinInt64: "-9223372036854.775808",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d is written %s, want %s", int64(m), got, want)
		}
		if got, err := ParseMoney(want); got != m || err != nil {
			t.Errorf("%s is read as %d, %v", want, int64(got), err)
		}
	}
	for text, want := range map[string]Money{"25": 25e6, "0.1": 1e5, "0.10000": 1e5, "-0": 0, "1234567.1": 1_234_567_100_000} {
		if got, err := ParseMoney(text); got != want || err != nil {
			t.Errorf("%q is read as %d, %v: want %d", text, int64(got), err, int64(want))
		}
	}
}

func TestWhatIsNoMoneyIsNotRead(t *testing.T) {
	t.Parallel()
	const (
		form  = "catalog: parse money: expected a decimal with six digits at most after the point, such as 12.50"
		large = "catalog: parse money: the amount is out of range"
	)
	for text, want := range map[string]string{
		"": form, ".": form, "1.": form, ".5": form, "-": form, "--1": form, "+1": form, "1.-1": form, "-.5": form,
		"1.0000000": form, "01": form, "00": form, "-01": form, "1e3": form, "0x1": form, "1_000": form, "1,5": form, " 1": form,
		"1 ": form, "٣": form, "1.5.0": form, "NaN": form, "Inf": form,
		"99999999999999999999": form, "9223372036854.775808": large, "-9223372036854.775809": large,
	} {
		if got, err := ParseMoney(text); got != 0 || fmt.Sprint(err) != want {
			t.Errorf("%q is read as %d, %v: want %s", text, int64(got), err, want)
		}
	}
}

func ExampleParseMoney() {
	m, err := ParseMoney("12.340001")
	fmt.Println(int64(m), m+Money(9), err)
	// Output: 12340001 12.34001 <nil>
}
