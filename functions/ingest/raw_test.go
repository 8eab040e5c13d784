package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/bus/membus"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/results"
)

// exchangeBytes writes bytes to the server, ends its side of the connection, and returns the status of the answer.
func exchangeBytes(t *testing.T, f *fixture, sent string) int {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestBrokenHTTPIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	head := "POST /v1/inferences HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + searchKey + "\r\n"
	whole := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	for name, c := range map[string]struct {
		sent   string
		status int
	}{
		"a good request":               {head + whole(good), 202},
		"a good request in chunks":     {head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(good), good), 202},
		"a body cut short":             {head + "Content-Length: 500\r\n\r\n" + good, 400},
		"chunks cut short":             {head + "Transfer-Encoding: chunked\r\n\r\n2f\r\n" + good[:10], 400},
		"a chunk size that is none":    {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + good + "\r\n0\r\n\r\n", 400},
		"chunks over the limit":        {head + "Transfer-Encoding: chunked\r\n\r\n5000\r\n" + strings.Repeat(" ", 0x5000) + "\r\n0\r\n\r\n", 413},
		"a length over the limit":      {head + "Content-Length: 99999999\r\n\r\n", 413},
		"a negative length":            {head + "Content-Length: -1\r\n\r\n", 400},
		"two lengths":                  {head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", 400},
		"an unknown transfer encoding": {head + "Transfer-Encoding: gzip\r\n\r\n", 501},
		"no host":                      {"POST /v1/inferences HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400},
		"two hosts":                    {"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		// A little over the server's limit of 1 MiB, so that what it leaves unread fits the socket's buffers.
		"headers of over a MiB": {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("x", 1<<20+32<<10) + "\r\n\r\n", 431},
		"a header with a space": {"GET /healthz HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n", 400},
		"another protocol":      {"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 505},
		"no HTTP at all":        {"hello\r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exchangeBytes(t, f, c.sent); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
		})
	}
}

func TestABodyThatDoesNotArriveInTimeIs408(t *testing.T) {
	t.Parallel()
	cat := testCatalog()
	server := httptest.NewUnstartedServer(ingest.New(ingest.Config{
		Catalog: func() *catalog.Catalog { return cat }, Publisher: membus.New(membus.Options{}),
		Results: results.New(results.NewMemory()),
	}))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Config.ReadHeaderTimeout = time.Minute // however slow this machine is, it is the body that is late
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/inferences HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", searchKey)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", res.StatusCode)
	}
}
