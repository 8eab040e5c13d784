package catalog

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a file, and what to do about it. It never shows a secret or a URL.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`           // from 1
	Column  int    `json:"column"`         // from 1, in characters
	Path    string `json:"path,omitempty"` // models.gpt-4.targets[0].url; empty: the file as a whole
	Problem string `json:"problem"`
}

// String returns the fault as file:line:column: path: problem, which editors and terminals make a link of.
func (f Fault) String() string {
	s := f.File + ":" + strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column) + ": "
	if f.Path != "" {
		s += f.Path + ": "
	}
	return s + f.Problem
}

// Faults is the error of a file that is not valid: everything that is wrong with it, in the order of the file.
type Faults struct{ list []Fault }

// Error returns every fault on a line of its own.
func (f *Faults) Error() string {
	lines := make([]string, 0, len(f.list))
	for _, fault := range f.list {
		lines = append(lines, fault.String())
	}
	return strings.Join(lines, "\n")
}

// All iterates over the faults, in the order of the file.
func (f *Faults) All() iter.Seq[Fault] { return slices.Values(f.list) }

// Len returns how many faults there are; one at least.
func (f *Faults) Len() int { return len(f.list) }

// Count returns how many faults there are in words: 1 fault, 2 faults.
func (f *Faults) Count() string { return count(len(f.list), "fault") }

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

func sortFaults(list []Fault) {
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
