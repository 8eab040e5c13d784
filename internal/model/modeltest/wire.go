package modeltest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// wire carries the bytes between client and server.
type wire struct {
	address string // where the client finds the server
	server  string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	bit      int   // how many bytes of an answer go at once; 0: as they come
	through  int64 // how many bytes of an answer go until the connection is cut; 0: all
	running  sync.WaitGroup
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	w := &wire{server: server, conns: map[net.Conn]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	w.open(l)
	t.Cleanup(func() {
		w.down()
		w.running.Wait()
	})
	return w
}

func (w *wire) open(l net.Listener) {
	w.mu.Lock()
	w.listener = l
	w.mu.Unlock()
	w.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			w.running.Go(func() { w.join(client) })
		}
	})
}

// join carries one connection until one of its ends closes it.
func (w *wire) join(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mu.Lock()
	w.conns[client], w.conns[server] = true, true
	bit, through := w.bit, w.through
	w.mu.Unlock()
	done := func() {
		_ = client.Close()
		_ = server.Close()
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		defer done()
		_, _ = io.Copy(server, client)
	})
	var answer io.Reader = server
	if through > 0 {
		answer = io.LimitReader(server, through)
	}
	var to io.Writer = client
	if bit > 0 {
		to = bits{client, bit}
	}
	_, _ = io.Copy(to, answer)
	done()
	asking.Wait()
	w.mu.Lock()
	delete(w.conns, client)
	delete(w.conns, server)
	w.mu.Unlock()
}

// cut closes every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close()
	}
}

// down closes every connection, and refuses others.
func (w *wire) down() {
	w.mu.Lock()
	l := w.listener
	w.mu.Unlock()
	_ = l.Close()
	w.cut()
}

// up takes connections again, at the same address.
func (w *wire) up(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		l, err := net.Listen("tcp", w.address)
		if err == nil {
			w.open(l)
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// trickle lets the answers of later connections through in bits of n bytes.
func (w *wire) trickle(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bit = n
}

// cutAfter cuts later connections after n bytes of an answer.
func (w *wire) cutAfter(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.through = n
}

// bits writes a few bytes at a time, each in a packet of its own where the system lets it.
type bits struct {
	to   io.Writer
	size int
}

func (b bits) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		var m int
		m, err = b.to.Write(p[:min(b.size, len(p))])
		n += m
		p = p[m:]
	}
	return n, err
}
