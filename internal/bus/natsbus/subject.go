package natsbus

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"baton.dev/baton/events"
)

// subjectPrefix begins every subject of the chain.
const subjectPrefix = "baton."

// laterPrefix begins the subjects on which delayed events wait. Each has one of its own, and no consumer.
const laterPrefix = subjectPrefix + "later."

func streamName(h events.Hop) string { return "BATON_" + strings.ToUpper(string(h)) }

// subjects returns what the hop's stream stores.
func subjects(h events.Hop) []string {
	switch h {
	case events.Dead:
		return []string{subjectPrefix + string(h)}
	case events.Infer:
		return []string{subjectPrefix + string(h) + ".*.*", subjectPrefix + string(h) + ".*.*.*", laterPrefix + string(h) + ".*"}
	default:
		return []string{subjectPrefix + string(h) + ".*", laterPrefix + string(h) + ".*"}
	}
}

func subject(l events.Lane) string {
	s := subjectPrefix + string(l.Hop)
	if l.Priority != "" {
		s += "." + string(l.Priority)
	}
	if l.Target != "" {
		s += "." + l.Target
	}
	if l.Tenant != "" {
		s += "." + tenantToken.Replace(l.Tenant)
	}
	return s
}

// tenantToken makes a tenant's name one token of a subject: a name has letters, digits, dots, - and _.
var tenantToken, tokenTenant = strings.NewReplacer(".", "%2E"), strings.NewReplacer("%2E", ".")

// laneOf returns the lane whose events are stored on the subject, or false if it is none.
func laneOf(subject string) (events.Lane, bool) {
	tokens := strings.Split(strings.TrimPrefix(subject, subjectPrefix), ".")
	l := events.Lane{Hop: events.Hop(tokens[0])}
	switch n := len(tokens); {
	case !strings.HasPrefix(subject, subjectPrefix) || n < 2:
		return events.Lane{}, false
	case l.Hop == events.Infer && (n == 3 || n == 4):
		l.Target = tokens[2]
		if n == 4 {
			l.Tenant = tokenTenant.Replace(tokens[3])
		}
	case l.Hop == events.Infer || n != 2:
		return events.Lane{}, false
	}
	l.Priority = events.Priority(tokens[1])
	return l, l.Priority.Valid()
}

// laterSubject returns the subject on which a delayed copy of an event waits: by its storage id, hashed so that any id is
// one token.
func laterSubject(h events.Hop, storageID string) string {
	sum := sha256.Sum256([]byte(storageID))
	return laterPrefix + string(h) + "." + hex.EncodeToString(sum[:16])
}

func consumerName(l events.Lane) string {
	name := string(l.Hop) + "-" + string(l.Priority)
	if l.Target != "" {
		name += "-" + l.Target
	}
	if l.Tenant != "" {
		name += "@" + tenantToken.Replace(l.Tenant) // a target's name has no @
	}
	return name
}
