// Command lambdazip builds the functions for AWS Lambda and packs each into a zip file that holds the program as bootstrap
// and, if one is given, its baton.yaml: OUT/ARCH/FUNCTION.zip. The same sources make the same bytes, whenever and wherever
// they are packed. It runs in the root of the module, from which it builds.
//
//	lambdazip [-out dist/lambda] [-arch arm64,amd64] [-config baton.yaml]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("lambdazip", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "dist/lambda", "the `directory` to write to")
	arches := flags.String("arch", "arm64,amd64", "the `architectures` to build for")
	system := flags.String("os", "linux", "the operating `system` to build for: a test that runs what it packed has its own")
	config := flags.String("config", "", "the baton.yaml to pack too; none: the functions find it elsewhere")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	for arch := range strings.SplitSeq(*arches, ",") {
		if err := build(ctx, target{*system, arch}, filepath.Join(*out, arch), *config, stdout, stderr); err != nil {
			fmt.Fprintf(stderr, "lambdazip: %s: %v\n", arch, err)
			return 1
		}
	}
	return 0
}

// functions are the programs that are packed, each a command of the module.
var functions = []string{"ingest", "schedule", "infer", "callback"}

var packages = []string{"./cmd/ingest", "./cmd/schedule", "./cmd/infer", "./cmd/callback"}

type target struct{ system, arch string }

// build builds every function for the target and packs it into the directory.
func build(ctx context.Context, t target, dir, config string, stdout, stderr io.Writer) error {
	programs, err := os.MkdirTemp("", "lambdazip-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(programs) }()
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everyone to read, as what is built is
		return err
	}
	if err := compile(ctx, t, programs, stderr); err != nil {
		return err
	}
	errs := make([]error, len(functions))
	var wg sync.WaitGroup
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, f := range functions {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			errs[i] = packFile(filepath.Join(dir, f+".zip"), filepath.Join(programs, f), config)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, f := range functions {
		path := filepath.Join(dir, f+".zip")
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s  %.1f MB\n", path, float64(info.Size())/1e6)
	}
	return nil
}

// compile builds the programs: static, without what only the net/rpc of Lambda's old runtimes needs, and without paths and
// ids that differ from one build of the same sources to the next.
func compile(ctx context.Context, t target, dir string, stderr io.Writer) error {
	args := append([]string{"build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w -buildid=", "-o", dir}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // names of our own, and a directory of our own
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS="+t.system, "GOARCH="+t.arch)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}
