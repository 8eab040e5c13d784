package terraform_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The terraform and aws that release finds: they answer what the test's files say, and write down what they were asked.
const (
	fakeTerraform = `#!/bin/sh
case "$*" in
*codedeploy) printf baton ;;
*releases) cat "$FAKES/releases" ;;
esac
`
	fakeAWS = `#!/bin/sh
printf '%s\n' "$*" >>"$FAKES/calls"
case "$1 $2" in
"lambda get-alias") cat "$FAKES/running-$4" ;;
"deploy create-deployment") echo "d-$6" ;;
"deploy wait") ! grep -qx -- "$5" "$FAKES/failing" ;;
esac
`
)

// release runs the script with versions 7 newest and the given versions running. It returns what was asked of AWS.
func release(t *testing.T, running map[string]string, failing string) (calls []string, out string, err error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("terraform", fakeTerraform, 0o755)
	write("aws", fakeAWS, 0o755)
	write("calls", "", 0o644)
	write("failing", failing+"\n", 0o644)
	var releases strings.Builder
	for _, f := range []string{"callback", "infer", "schedule", "ingest"} {
		fmt.Fprintln(&releases, "baton-"+f, "baton-"+f, "live 7")
		write("running-baton-"+f, running[f]+"\n", 0o644)
	}
	write("releases", strings.TrimSuffix(releases.String(), "\n"), 0o644)

	cmd := exec.Command("bash", "release", dir)
	cmd.Env = append(os.Environ(), "FAKES="+dir, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	b, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	for call := range strings.Lines(string(text)) {
		if strings.HasPrefix(call, "deploy create-deployment") {
			calls = append(calls, strings.TrimSpace(call))
		}
	}
	return calls, string(b), err
}

func TestRelease(t *testing.T) {
	t.Parallel()
	old := map[string]string{"callback": "6", "infer": "6", "schedule": "6", "ingest": "6"}

	t.Run("deploys the last function of the chain first, from the version that runs to the newest", func(t *testing.T) {
		t.Parallel()
		calls, out, err := release(t, old, "none")
		if err != nil || len(calls) != 4 {
			t.Fatalf("%d deployments, %v:\n%s", len(calls), err, out)
		}
		for i, f := range []string{"callback", "infer", "schedule", "ingest"} {
			want := `--application-name baton --deployment-group-name baton-` + f + ` --revision {"revisionType":"AppSpecContent",` +
				`"appSpecContent":{"content":"{\"version\":0.0,\"Resources\":[{\"function\":{\"Type\":\"AWS::Lambda::Function\",` +
				`\"Properties\":{\"Name\":\"baton-` + f + `\",\"Alias\":\"live\",\"CurrentVersion\":\"6\",\"TargetVersion\":\"7\"}}}]}"}}`
			if !strings.Contains(calls[i], want) {
				t.Errorf("deployment %d: %s\nwant %s", i, calls[i], want)
			}
		}
	})

	t.Run("leaves alone what runs the newest version already", func(t *testing.T) {
		t.Parallel()
		calls, out, err := release(t, map[string]string{"callback": "7", "infer": "6", "schedule": "7", "ingest": "7"}, "none")
		if err != nil || len(calls) != 1 || !strings.Contains(calls[0], "baton-infer") {
			t.Fatalf("deployments %v, %v:\n%s", calls, err, out)
		}
	})

	t.Run("ends with the first deployment that was rolled back, and says so", func(t *testing.T) {
		t.Parallel()
		calls, out, err := release(t, old, "d-baton-infer")
		if err == nil || len(calls) != 2 {
			t.Fatalf("%d deployments, %v:\n%s", len(calls), err, out)
		}
		if !strings.Contains(out, "baton-infer: deployment d-baton-infer failed and was rolled back: version 6 runs.") {
			t.Errorf("output:\n%s", out)
		}
	})
}

// number returns the whole number that the pattern finds in the file.
func number(t *testing.T, path, pattern string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s: nothing matches %s", path, pattern)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheFunctionsGiveUpBeforeSQSDoes(t *testing.T) {
	t.Parallel()
	deliveries := number(t, "../../internal/awslambda/awslambda.go", `const deliveries = (\d+)`)
	received := number(t, "modules/aws/queues.tf", `max_receive_count = (\d+)`)
	if received <= deliveries+1 {
		t.Errorf("SQS sets a message aside after %d receives, the functions write why after %d", received, deliveries)
	}
}
