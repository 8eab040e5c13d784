package answers

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// canonical returns a text that is the same for two JSON values if, and only if, they say the same: no whitespace, members
// in order, each string in its shortest spelling and each number in one.
//
// What readers of JSON disagree about is only equal to itself, byte for byte: a member that is given twice, half of a
// surrogate pair, bytes that are no UTF-8, and what is no JSON at all. It is told apart by its form: a value is an array of
// one element, and bytes are an array of two.
func canonical(raw []byte) json.RawMessage {
	text, err := rewrite(raw)
	if err != nil {
		return encoded([]string{hex.EncodeToString(raw), "bytes"})
	}
	return json.RawMessage("[" + string(text) + "]")
}

func rewrite(raw []byte) (json.RawMessage, error) {
	var out bytes.Buffer
	out.Grow(len(raw) + 1)
	dec, enc := jsontext.NewDecoder(bytes.NewReader(raw)), jsontext.NewEncoder(&out)
	for {
		if dec.PeekKind() == '0' {
			n, err := dec.ReadValue()
			if err != nil {
				return nil, err
			}
			if err := enc.WriteValue(jsontext.Value(number(string(n)))); err != nil {
				return nil, err
			}
			continue
		}
		t, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := enc.WriteToken(t); err != nil {
			return nil, err
		}
	}
	value := jsontext.Value(out.Bytes())
	// The order of RFC 8785, section 3.2.3, and not its numbers: those are rounded to a float64, and two that differ would
	// be one. It refuses a second value, or none.
	err := value.Format(jsontext.ReorderRawObjects(true))
	return json.RawMessage(value), err
}

// number returns the one spelling of a JSON number: its digits without zeros at either end, and the power of ten to take
// them times. It is exact. A number whose power no int64 holds keeps its own spelling.
func number(s string) string {
	digits, negative := strings.CutPrefix(s, "-")
	power := int64(0)
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		var err error
		if power, err = strconv.ParseInt(digits[i+1:], 10, 64); err != nil || power != power<<1>>1 {
			return s
		}
		digits = digits[:i]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	power -= int64(len(fraction))
	trimmed := strings.TrimRight(digits, "0")
	power += int64(len(digits) - len(trimmed))
	switch {
	case trimmed == "":
		return "0"
	case negative:
		trimmed = "-" + trimmed
	}
	if power == 0 {
		return trimmed
	}
	return trimmed + "e" + strconv.FormatInt(power, 10)
}
