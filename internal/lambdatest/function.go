// Package lambdatest runs real bootstrap programs as AWS Lambda does, offline: a Runtime API for each process, invocations
// with a deadline, at which the process is killed, and event source mappings from SQS queues.
//
// It is for tests, and knows nothing of what the programs do.
package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// What an invocation may come to, besides an answer.
var (
	ErrTimeout = errors.New("lambdatest: the invocation timed out and its process was killed")
	ErrExited  = errors.New("lambdatest: the process ended in the middle of the invocation")
)

// FunctionError is the error that a function reported itself.
type FunctionError struct{ Payload []byte }

// Error implements error.
func (e *FunctionError) Error() string {
	return "lambdatest: the function reported " + string(e.Payload)
}

// Options of a function.
type Options struct {
	Name      string
	Bootstrap string        // the program
	Env       []string      // of its processes, besides what Lambda sets: nothing is inherited
	Timeout   time.Duration // of an invocation
}

// Function is a deployed function: a program, and a process of it for each invocation that runs at once. It is safe for
// concurrent use.
type Function struct {
	opts Options

	mu        sync.Mutex
	idle      []*sandbox
	busy      []*sandbox
	cold      []time.Duration // see [Function.ColdStarts]
	processes int
	output    output
}

// Deploy returns the function, until the test ends. If the test failed, the last of what the processes said is logged.
func Deploy(t testing.TB, o Options) *Function {
	t.Helper()
	f := &Function{opts: o}
	t.Cleanup(func() {
		f.mu.Lock()
		all := slices.Concat(f.idle, f.busy)
		f.mu.Unlock()
		for _, s := range all {
			s.kill()
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", o.Name, f.output.tail(4000))
		}
	})
	return f
}

// Invoke hands the event to a process that is idle, or to a new one, and returns the answer.
func (f *Function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	s, began, err := f.take()
	if err != nil {
		return nil, err
	}
	answer, err := s.invoke(ctx, event, f.opts.Timeout)
	f.giveBack(s, err, began)
	return answer, err
}

// take returns a process that is the invocation's alone, and when it was started if that was now.
func (f *Function) take() (s *sandbox, began time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s == nil && len(f.idle) > 0 {
		s = f.idle[len(f.idle)-1] // the one that was used last, as Lambda does
		f.idle = f.idle[:len(f.idle)-1]
		if s.gone() {
			s = nil
		}
	}
	if s == nil {
		began = time.Now()
		if s, err = start(f.opts, &f.output); err != nil {
			return nil, began, fmt.Errorf("lambdatest: start %s: %w", f.opts.Name, err)
		}
		f.processes++
	}
	f.busy = append(f.busy, s)
	return s, began, nil
}

// giveBack keeps the process for the next invocation, unless it is lost.
func (f *Function) giveBack(s *sandbox, err error, began time.Time) {
	_, reported := errors.AsType[*FunctionError](err)
	lost := err != nil && !reported
	if lost {
		s.kill()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = slices.DeleteFunc(f.busy, func(b *sandbox) bool { return b == s })
	if !lost {
		f.idle = append(f.idle, s)
	}
	if err == nil && !began.IsZero() {
		f.cold = append(f.cold, time.Since(began))
	}
}

// KillBusy kills the processes that are in the middle of an invocation, and returns how many those were.
func (f *Function) KillBusy() int { return f.each(func(s *sandbox) { s.kill() }) }

// StopBusy stops the processes that are in the middle of an invocation, so that they hang, and returns how many those were.
func (f *Function) StopBusy() int { return f.each(func(s *sandbox) { s.stop() }) }

func (f *Function) each(do func(*sandbox)) int {
	f.mu.Lock()
	busy := slices.Clone(f.busy)
	f.mu.Unlock()
	for _, s := range busy {
		do(s)
	}
	return len(busy)
}

// ColdStarts returns the times from the start of a process to its first answer.
func (f *Function) ColdStarts() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.cold)
}

// Processes returns how many were started.
func (f *Function) Processes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.processes
}

// Pids returns the ids of the processes that are idle.
func (f *Function) Pids() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var pids []int
	for _, s := range f.idle {
		pids = append(pids, s.cmd.Process.Pid)
	}
	return pids
}

// Output returns what the processes have written, the last of it.
func (f *Function) Output() string { return f.output.tail(1 << 20) }
