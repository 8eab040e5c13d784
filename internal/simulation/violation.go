package simulation

import "fmt"

// Violation is an invariant that did not hold.
type Violation struct {
	Invariant string
	Message   string // the id of the message it is about; empty: of none
	Detail    string
}

func (v *Violation) Error() string { return v.Invariant + ": " + v.Detail }

// violatef says that an invariant does not hold. The first one counts. It is for [World.run] and what it calls; for the parts
// there is suspectf.
func (w *World) violatef(invariant, message, format string, args ...any) {
	if w.violation == nil {
		w.violation = &Violation{invariant, message, fmt.Sprintf(format, args...)}
	}
}

// suspectf says the same from within a part, where what the world knows must not be touched.
func (w *World) suspectf(invariant, message, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.suspected == nil {
		w.suspected = &Violation{invariant, message, fmt.Sprintf(format, args...)}
	}
}

// takeUp takes up what a part said.
func (w *World) takeUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.violation == nil {
		w.violation = w.suspected
	}
}

// blind notes that a step failed that would have told a process of another's attempt.
func (w *World) blind(about string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blinds[about] = true
}

// begin notes that a process has begun to handle an event.
func (w *World) begin(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun[what] = true
}

func (w *World) hasBegun(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun[what]
}
