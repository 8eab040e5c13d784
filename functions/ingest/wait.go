package ingest

import (
	"strconv"
	"strings"
	"time"
)

// maxWait is how long an answer is held back at most: below the idle timeout of common proxies and load balancers, which is
// 60 seconds or more.
const maxWait = 60 * time.Second

// preference is what a Prefer header asks for (RFC 7240), as far as it is honoured.
type preference struct {
	wait  time.Duration // 0: do not
	async bool          // respond-async
}

// applied returns the Preference-Applied header of a 202.
func (p preference) applied() string {
	var applied []string
	if p.async {
		applied = append(applied, "respond-async")
	}
	if p.wait > 0 {
		applied = append(applied, "wait="+strconv.Itoa(int(p.wait.Seconds())))
	}
	return strings.Join(applied, ", ")
}

// parsePrefer reads the Prefer headers of a request. Of a preference given twice, the first counts. What is not known or
// cannot be read is ignored, as RFC 7240, section 2, asks: a preference is a wish, and no ground to refuse a request.
func parsePrefer(headers []string) preference {
	var p preference
	seenWait := false
	for _, header := range headers {
		for _, item := range splitUnquoted(header, ',') {
			item, _, _ = cutUnquoted(item, ';') // its parameters: none is known
			name, value, valued := strings.Cut(item, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = p.async || !valued || unquote(value) == ""
			case "wait":
				if seconds, ok := parseSeconds(unquote(value)); ok && !seenWait {
					p.wait = seconds
				}
				seenWait = true
			}
		}
	}
	return p
}

// parseWait reads the wait parameter of a poll: seconds, or a duration such as 30s or 1m. What is over the most is the most.
func parseWait(given string) (time.Duration, bool) {
	if d, ok := parseSeconds(given); ok {
		return d, true
	}
	d, err := time.ParseDuration(given)
	if err != nil || d < 0 {
		return 0, false
	}
	return min(d, maxWait), true
}

// parseSeconds reads delta-seconds (RFC 9111, section 1.2.2), capped at maxWait.
func parseSeconds(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > int(maxWait/time.Second) {
		return maxWait, true // too many digits, or too many seconds
	}
	return time.Duration(n) * time.Second, true
}

// unquote returns the value of a word: a token as it is, a quoted string without its quotes.
func unquote(word string) string {
	word = strings.Trim(word, " \t")
	if n := len(word); n >= 2 && word[0] == '"' && word[n-1] == '"' {
		return word[1 : n-1]
	}
	return word
}

// splitUnquoted splits at sep outside of quoted strings.
func splitUnquoted(s string, sep byte) []string {
	var parts []string
	for {
		part, rest, found := cutUnquoted(s, sep)
		parts = append(parts, part)
		if !found {
			return parts
		}
		s = rest
	}
}

// cutUnquoted cuts s at the first sep outside of a quoted string.
func cutUnquoted(s string, sep byte) (before, after string, found bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
