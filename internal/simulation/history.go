package simulation

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// Step is one effect that took place, or did not.
type Step struct {
	At      time.Duration // since the world began
	By      string        // the process and its life, p1.2; "" is the world
	Kind    Kind
	Subject string
	Fault   Fault
	Note    string // what came of it
}

func (s Step) String() string {
	by := s.By
	if by == "" {
		by = "world"
	}
	line := fmt.Sprintf("%12s  %-6s %-8s %s", s.At.Round(time.Microsecond), by, s.Kind, s.Subject)
	if s.Note != "" {
		line += ": " + s.Note
	}
	if s.Fault != "" {
		line += "   <== " + string(s.Fault)
	}
	return line
}

// History is what happened in a world, in order.
type History []Step

// Hash tells histories apart.
func (h History) Hash() uint64 {
	sum := fnv.New64a()
	for _, s := range h {
		fmt.Fprintln(sum, int64(s.At), s.By, s.Kind, s.Subject, s.Fault, s.Note)
	}
	return sum.Sum64()
}

// about returns the steps that have to do with the message, and those of the world and of faults; all for "".
func (h History) about(messageID string) History {
	var rest History
	for _, s := range h {
		if messageID == "" || s.Fault != "" || s.Kind == Turn ||
			strings.Contains(s.Subject, messageID) || strings.Contains(s.Note, messageID) {
			rest = append(rest, s)
		}
	}
	return rest
}
