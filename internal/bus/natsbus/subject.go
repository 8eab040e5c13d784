package natsbus

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
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
		return []string{subjectPrefix + string(h) + ".*.*", laterPrefix + string(h) + ".*"}
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
	return s
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
	return name
}

// targetsOf returns the targets among infer's subjects, sorted.
func targetsOf(counts map[string]uint64) []string {
	var targets []string
	for s := range counts {
		tokens := strings.Split(s, ".")
		if len(tokens) == 4 && !slices.Contains(targets, tokens[3]) {
			targets = append(targets, tokens[3])
		}
	}
	slices.Sort(targets)
	return targets
}
