package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for spelling, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "0e9": "0", "-0.000E-7": "0",
		"1": "1", "1.0": "1", "10e-1": "1", "0.1e1": "1", "1E+0": "1", "1e00": "1",
		"-1.50": "-15e-1", "100": "1e2", "1e2": "1e2", "0.01": "1e-2", "1.01": "101e-2",
		"9007199254740993": "9007199254740993", "9007199254740993.0": "9007199254740993",
		"1e4611686018427387904":  "1e4611686018427387904",
		"10e4611686018427387903": "1e4611686018427387904",
		"1e99999999999999999999": "1e99999999999999999999",
	} {
		if got := number(spelling); got != want {
			t.Errorf("number(%s) = %s, want %s", spelling, got, want)
		}
	}
}

// A decimal is digits times ten to the power.
type decimal struct {
	digits int64
	power  int
}

// someValue draws what a JSON text can say: a string, a decimal, a []any or a map[string]any.
func someValue(depth int) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Map(rapid.StringN(0, 4, -1), func(s string) any { return s }),
		rapid.Custom(func(t *rapid.T) any {
			return decimal{rapid.Int64().Draw(t, "digits"), rapid.IntRange(-30, 30).Draw(t, "power")}
		}),
	)
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(
		scalars,
		rapid.Map(rapid.SliceOfN(someValue(depth-1), 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(rapid.StringMatching(`[a-c]{0,2}`), someValue(depth-1), 0, 3), func(m map[string]any) any { return m }),
	)
}

// exact returns a text that is the same for equal values alone.
func exact(v any) string {
	switch v := v.(type) {
	case decimal:
		r, _ := new(big.Rat).SetString(strconv.FormatInt(v.digits, 10) + "e" + strconv.Itoa(v.power))
		return r.RatString()
	case []any:
		texts := []string{}
		for _, e := range v {
			texts = append(texts, exact(e))
		}
		return "[" + strings.Join(texts, ",") + "]"
	case map[string]any:
		texts := []string{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			texts = append(texts, strconv.Quote(name)+":"+exact(v[name]))
		}
		return "{" + strings.Join(texts, ",") + "}"
	default:
		return strconv.Quote(fmt.Sprint(v))
	}
}

// spelled returns the value as JSON, in one of many spellings.
func spelled(t *rapid.T, v any) string {
	space := func() string { return rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space") }
	switch v := v.(type) {
	case decimal:
		zeros := rapid.IntRange(0, 3).Draw(t, "zeros")
		if v.digits == 0 {
			zeros = 0 // JSON has no 00
		}
		e := rapid.SampledFrom([]string{"e", "E"}).Draw(t, "e")
		return strconv.FormatInt(v.digits, 10) + strings.Repeat("0", zeros) + ".0" + e + strconv.Itoa(v.power-zeros)
	case []any:
		texts := []string{}
		for _, e := range v {
			texts = append(texts, space()+spelled(t, e)+space())
		}
		return "[" + strings.Join(texts, ",") + "]"
	case map[string]any:
		texts := []string{}
		for _, name := range rapid.Permutation(slices.Sorted(maps.Keys(v))).Draw(t, "order") {
			texts = append(texts, space()+quoted(t, name)+space()+":"+spelled(t, v[name]))
		}
		return "{" + strings.Join(texts, ",") + space() + "}"
	default:
		return quoted(t, fmt.Sprint(v))
	}
}

// quoted returns the string as JSON, some of its characters escaped.
func quoted(t *rapid.T, s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x10000 && rapid.Bool().Draw(t, "escape") {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		q := encoded(string(r))
		b.Write(q[1 : len(q)-1])
	}
	return `"` + b.String() + `"`
}

func TestTwoTextsAreOneIfAndOnlyIfTheySayTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one, other := someValue(3).Draw(t, "one"), someValue(3).Draw(t, "other")
		a, b, c := spelled(t, one), spelled(t, one), spelled(t, other)
		x, y, z := canonical([]byte(a)), canonical([]byte(b)), canonical([]byte(c))
		if string(x) != string(y) {
			t.Fatalf("%s is %s, and %s is %s", a, x, b, y)
		}
		if (string(x) == string(z)) != (exact(one) == exact(other)) {
			t.Fatalf("%s is %s, and %s is %s", a, x, c, z)
		}
		if bytes.HasSuffix(x, []byte(`,"bytes"]`)) && !strings.HasPrefix(a, "[") {
			t.Fatalf("%s was not read: %s", a, x)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		``, ` `, `null`, `{"b":1.0,"a":[1e2,"\u00e9"]}`, `{"a":1,"a":2}`, `"\ud83d"`, "\"\xff\"", `1 2`, `[1,]`, `-0`, `1e9999999999999999999`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := canonical(raw)
		var elements []json.RawMessage
		if err := json.Unmarshal(text, &elements); err != nil || len(elements) < 1 || len(elements) > 2 {
			t.Fatalf("%q is %q: %v", raw, text, err)
		}
		if len(elements) == 2 { // which no JSON that all readers agree about may be
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is taken for JSON: %s", raw, text)
		}
		if again := canonical(elements[0]); string(again) != string(text) {
			t.Errorf("%q is %s, and that is %s", raw, text, again)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"until":"2026-11-24T12:00:00Z","answer":{"output":"x","message":{"a":"<"},"usage":{"prompt_tokens":1}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decode(text)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			return // a year that RFC 3339 has no room for
		}
		if b, err := decode(again); err != nil || !b.Until.Equal(s.Until) || b.Answer.Output != s.Answer.Output {
			t.Errorf("%q is %+v, and that is %+v, %v", text, s, b, err)
		}
	})
}
