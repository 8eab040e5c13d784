package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// The schemes of a callback that goes to a queue in place of a web server.
const (
	natsScheme = "nats://"
	sqsScheme  = "sqs://"
)

// ours begins the names of what the chain itself runs on: subjects after a dot, queues after a hyphen.
const ours = "baton"

var (
	subjectToken = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	// sqsName is 80 characters at most, .fifo among them.
	sqsName = regexp.MustCompile(`^([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)$`)
)

// MayCallQueue reports whether the tenant's callbacks may name the queue: nats://SUBJECT, a subject without wildcards, or
// sqs://QUEUE. Wildcards of what the file allows are those of NATS: * is any one token, > at the end is one or more. Nothing
// of the chain's own is allowed, nor of NATS's, whatever the file says.
func (t *Tenant) MayCallQueue(u string) bool {
	subject, nats := strings.CutPrefix(u, natsScheme)
	if !nats {
		name, ok := strings.CutPrefix(u, sqsScheme)
		return ok && queueProblem(name) == "" && slices.Contains(t.CallbackQueues, u)
	}
	if subjectProblem(subject) != "" {
		return false
	}
	tokens := strings.Split(subject, ".")
	for _, allowed := range t.CallbackQueues {
		if pattern, ok := strings.CutPrefix(allowed, natsScheme); ok && matches(strings.Split(pattern, "."), tokens) {
			return true
		}
	}
	return false
}

// matches reports whether a subject is one of those that a pattern stands for.
func matches(pattern, subject []string) bool {
	for i, token := range pattern {
		switch {
		case i >= len(subject):
			return false
		case token == ">":
			return true
		case token != "*" && token != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}

// callbackQueue says what is wrong with a queue, or a pattern of subjects, that callbacks may name.
func callbackQueue(s string) (problem string) {
	if pattern, ok := strings.CutPrefix(s, natsScheme); ok {
		return subjectProblem(pattern, "*", ">")
	}
	if name, ok := strings.CutPrefix(s, sqsScheme); ok {
		return queueProblem(name)
	}
	return "has the wrong scheme: expected nats://SUBJECT or sqs://QUEUE"
}

// subjectProblem says what is wrong with a subject, in which the wildcards may stand for tokens after the first.
func subjectProblem(s string, wildcards ...string) string {
	const longest = 255
	tokens := strings.Split(s, ".")
	switch first := tokens[0]; {
	case len(s) > longest:
		return "is too long: expected 255 characters of a subject at most"
	case first == ours || strings.HasPrefix(first, "$") || strings.HasPrefix(first, "_"):
		return "is a subject of Baton or of NATS itself: name one that does not begin with baton, $ or _"
	case first == "*" || first == ">":
		return "begins with a wildcard, which stands for subjects of Baton and of NATS itself too: name the first token"
	}
	for i, token := range tokens {
		wildcard := slices.Contains(wildcards, token)
		switch {
		case wildcard && token == ">" && i < len(tokens)-1:
			return "has > in the wrong place: it stands for all tokens from there, at the end"
		case !wildcard && !subjectToken.MatchString(token):
			return "is no subject: expected letters, digits, - and _ between dots; after the first dot also *, and > at the end"
		}
	}
	return ""
}

// queueProblem says what is wrong with the name of a queue of SQS.
func queueProblem(name string) string {
	switch {
	case strings.HasPrefix(name, ours+"-"):
		return "is a queue of Baton itself: name one that does not begin with baton-"
	case !sqsName.MatchString(name):
		return "is no queue of SQS: expected its name, 1 to 80 letters, digits, - and _, at whose end .fifo may stand"
	default:
		return ""
	}
}
