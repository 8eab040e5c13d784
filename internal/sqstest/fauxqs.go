package sqstest

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

//go:embed fauxqs
var files embed.FS

// serverName returns the server's name and version.
func serverName(t testing.TB) string {
	t.Helper()
	text, err := files.ReadFile("fauxqs/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	return "fauxqs " + manifest.Dependencies["fauxqs"]
}

// startWait bounds the start of the server, and its end.
const startWait = 30 * time.Second

// launch starts the server that is installed in the directory and returns its address. It ends with the test, or with this
// process, since it reads from a pipe that closes with either.
func launch(t testing.TB, dir string) string {
	t.Helper()
	var stderr bytes.Buffer
	server := exec.Command("node", "start.mjs")
	server.Dir, server.Stderr, server.WaitDelay = dir, &stderr, startWait
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(startWait, func() { _ = server.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	late.Stop()
	if err != nil {
		err = errors.Join(err, server.Wait())
		t.Fatalf("fauxqs did not start: %v\n%s", err, stderr.String())
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		late := time.AfterFunc(startWait, func() { _ = server.Process.Kill() })
		defer late.Stop()
		if err := server.Wait(); err != nil {
			t.Errorf("fauxqs ended with %v\n%s", err, stderr.String())
		}
	})
	return strings.TrimSpace(line)
}
