package simulation

import (
	"testing"
	"testing/synctest"
)

// Report is what came of one world.
type Report struct {
	Seed      uint64
	Violation *Violation // nil: everything held
	History   History
	Plan      Plan
	Requests  []string // what was asked
	Faults    []string // what went wrong
}

// Simulator runs worlds one after the other. Several can run at once.
type Simulator struct{ doors []*door }

// maxProcesses is the most that a world has.
const maxProcesses = 3

// New returns a simulator.
func New() *Simulator {
	s := &Simulator{}
	for range maxProcesses {
		s.doors = append(s.doors, newDoor())
	}
	return s
}

// Run runs the world of the seed, without what the plan leaves out.
func (s *Simulator) Run(t *testing.T, seed uint64, plan Plan) Report {
	r := Report{Seed: seed, Plan: plan}
	synctest.Test(t, func(*testing.T) {
		w := newWorld(seed, plan, s.doors)
		w.run()
		r.Violation, r.History, r.Requests, r.Faults = w.violation, w.history, w.names, w.faults
	})
	return r
}
