package callback_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// BenchmarkCallback is one hop: store, sign, POST over loopback. The receiver is the barest there is and allocates nothing
// for each request, so that what is counted is the hop's.
func BenchmarkCallback(b *testing.B) {
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { sink(conn) })
		}
	})
	cat := &catalog.Catalog{
		Callbacks: catalog.Callbacks{
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowHTTP: true,
			Retries: schedule, Timeout: 15 * time.Second,
		},
		Tenants: map[string]*catalog.Tenant{"search": {Secrets: []catalog.Secret{"new"}}},
	}
	c := callback.New(callback.Config{
		Catalog: func() *catalog.Catalog { return cat },
		Results: results.New(results.NewMemory()),
		Secrets: func(catalog.Secret) (string, error) { return newSecret, nil },
	})
	in := completed("http://" + l.Addr().String())
	in.Data = result(in.Subject, "completed", strings.Repeat("word ", 300))
	subject, n := in.Subject, 0
	b.ReportAllocs()
	b.SetBytes(int64(len(in.Data)))
	for b.Loop() {
		n++
		in.Subject = subject + strconv.Itoa(n) // each its own request
		if _, err := c.Handle(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	_ = l.Close()
	wg.Wait()
}

// sink answers every request of a connection with 204. It reads as much HTTP as that takes.
func sink(conn net.Conn) {
	defer conn.Close()
	var (
		buf    = make([]byte, 64<<10)
		answer = []byte("HTTP/1.1 204 No Content\r\n\r\n")
		have   int
	)
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		head := bytes.Index(buf[:have], []byte("\r\n\r\n"))
		if head < 0 {
			continue
		}
		missing := head + 4 + contentLength(buf[:head]) - have
		for missing > 0 {
			n, err := io.ReadFull(conn, buf[:min(missing, len(buf))])
			if err != nil {
				return
			}
			missing -= n
		}
		have = 0
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func contentLength(head []byte) int {
	length := 0
	_, digits, _ := bytes.Cut(head, []byte("Content-Length: "))
	for _, c := range digits {
		if c < '0' || c > '9' {
			break
		}
		length = length*10 + int(c-'0')
	}
	return length
}
