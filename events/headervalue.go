package events

import "strings"

const hexDigits = "0123456789ABCDEF"

// EncodeHeader percent-encodes the text of an attribute for a header: everything but printable ASCII, and space, quote and
// percent (CloudEvents HTTP binding 1.0, section 3.1.3.2, and NATS binding 1.0, the same).
func EncodeHeader(s string) string {
	n := 0
	for i := range len(s) {
		if mustEscape(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	out := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; mustEscape(c) {
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}

// DecodeHeader reads a header value. A value that was never encoded, as the official SDK writes it, is told by what an encoded
// one cannot hold, and is returned as it is; one that holds only what both can, is taken as encoded.
func DecodeHeader(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			if mustEscape(c) {
				return s
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(s) {
			return s
		}
		hi, lo := unhex(s[i+1]), unhex(s[i+2])
		if hi < 0 || lo < 0 {
			return s
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out)
}

func mustEscape(c byte) bool { return c <= ' ' || c > '~' || c == '"' || c == '%' }

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
