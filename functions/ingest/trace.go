package ingest

import "strings"

// maxTraceState is how much of a tracestate is carried on: what W3C Trace Context, section 3.3.1.5, asks of everyone.
const maxTraceState = 512

// traceContext returns the W3C trace context of a request, as far as it is valid: an invalid traceparent, or several of
// them, is as none, and a tracestate is nothing without a traceparent (sections 3.2 and 3.3).
func traceContext(parents, states []string) (traceParent, traceState string) {
	if len(parents) != 1 || !validTraceParent(parents[0]) {
		return "", ""
	}
	if state := strings.Join(states, ","); validTraceState(state) {
		return parents[0], state
	}
	return parents[0], ""
}

// validTraceParent reports whether s is a traceparent: version, trace id, parent id and flags, and after them, from
// version 01 on, possibly more.
func validTraceParent(s string) bool {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(s) < length || len(s) > 4*length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, traceID, parentID, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if !lowerHex(version) || !lowerHex(traceID) || !lowerHex(parentID) || !lowerHex(flags) {
		return false
	}
	if version == "ff" || strings.Trim(traceID, "0") == "" || strings.Trim(parentID, "0") == "" {
		return false
	}
	if version == "00" || len(s) == length {
		return len(s) == length
	}
	return s[55] == '-' && !strings.ContainsFunc(s, notPrintable) && !strings.Contains(s, " ")
}

// validTraceState reports whether s is a list of 1 to 32 members key=value, no key twice.
func validTraceState(s string) bool {
	if s == "" || len(s) > maxTraceState {
		return false
	}
	seen := make(map[string]bool, 4)
	for member := range strings.SplitSeq(s, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue // empty members are allowed
		}
		key, value, found := strings.Cut(member, "=")
		if !found || seen[key] || !traceKey(key) || !traceValue(value) {
			return false
		}
		seen[key] = true
	}
	return len(seen) > 0 && len(seen) <= 32
}

func traceKey(key string) bool {
	if key == "" || len(key) > 256 {
		return false
	}
	if c := key[0]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
		return false
	}
	return strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-*/@") == ""
}

func traceValue(value string) bool {
	return value != "" && len(value) <= 256 && !strings.ContainsFunc(value, func(c rune) bool {
		return notPrintable(c) || c == ',' || c == '='
	})
}

func lowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
