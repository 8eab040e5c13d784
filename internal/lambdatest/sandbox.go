package lambdatest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// sandbox is one process of a function, and the Runtime API that it asks for invocations:
//
//	GET  /2018-06-01/runtime/invocation/next             waits for one
//	POST /2018-06-01/runtime/invocation/{id}/response    answers it
//	POST /2018-06-01/runtime/invocation/{id}/error       reports that it failed
type sandbox struct {
	cmd    *exec.Cmd
	server *http.Server
	exited chan struct{}

	next    chan *invocation
	mu      sync.Mutex
	running *invocation
}

// invocation is one event on its way.
type invocation struct {
	id       string
	event    []byte
	timeout  time.Duration
	answered chan struct{} // closed when the two below are set
	answer   []byte
	err      error
}

func start(o Options, out io.Writer) (*sandbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sandbox{cmd: exec.Command(o.Bootstrap), exited: make(chan struct{}), next: make(chan *invocation)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", s.serveNext)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", s.serveResponse)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", s.serveError)
	s.server = &http.Server{Handler: mux}
	go func() { _ = s.server.Serve(listener) }()
	s.cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + o.Name,
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
	}, o.Env...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		_ = s.server.Close()
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		_ = s.server.Close()
		close(s.exited)
	}()
	return s, nil
}

func (s *sandbox) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case inv := <-s.next:
		s.mu.Lock()
		s.running = inv
		s.mu.Unlock()
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(inv.timeout).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
		_, _ = w.Write(inv.event)
	case <-r.Context().Done():
	}
}

func (s *sandbox) serveResponse(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, func([]byte) error { return nil })
}

func (s *sandbox) serveError(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, func(payload []byte) error { return &FunctionError{payload} })
}

func (s *sandbox) answer(w http.ResponseWriter, r *http.Request, failure func([]byte) error) {
	payload, err := io.ReadAll(r.Body)
	s.mu.Lock()
	inv := s.running
	s.running = nil
	s.mu.Unlock()
	if err != nil || inv == nil || inv.id != r.PathValue("id") {
		http.Error(w, "no such invocation", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	inv.answer, inv.err = payload, failure(payload)
	close(inv.answered)
}

// initTimeout is how long Lambda waits for a process to ask for its first invocation. It may be needed here on a busy
// machine, and no longer.
const initTimeout = 10 * time.Second

// invoke hands the event over when the process asks for one, and waits for the answer. The time counts from when it asks.
func (s *sandbox) invoke(ctx context.Context, event []byte, timeout time.Duration) ([]byte, error) {
	inv := &invocation{id: uuid.NewString(), event: event, timeout: timeout, answered: make(chan struct{})}
	timer := time.NewTimer(initTimeout)
	defer timer.Stop()
	select {
	case s.next <- inv:
	case <-s.exited:
		return nil, ErrExited
	case <-timer.C:
		return nil, ErrTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	timer.Reset(timeout)
	select {
	case <-inv.answered:
		return inv.answer, inv.err
	case <-s.exited:
		return nil, ErrExited
	case <-timer.C:
		return nil, ErrTimeout
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *sandbox) gone() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// kill kills the process and waits until it is gone.
func (s *sandbox) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func (s *sandbox) stop() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// output keeps what processes write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) tail(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.b.Bytes()
	return string(b[max(0, len(b)-n):])
}
