package awslambda

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"baton.dev/baton/internal/catalog"
)

const (
	arn  = "arn:aws:secretsmanager:us-east-1:000000000000:secret:key-AbCdEf"
	held = "held-secret-value"
)

// vault is Secrets Manager with one secret.
type vault struct {
	value atomic.Value // string; "": there is none
	reads atomic.Int64
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.reads.Add(1)
	var in struct{ SecretID string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	value, _ := v.value.Load().(string)
	if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" || in.SecretID != arn || value == "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ResourceNotFoundException","Message":"there is none"}`))
		return
	}
	_, _ = fmt.Fprintf(w, `{"ARN":%q,"SecretString":%q}`, arn, value)
}

// newVault returns a vault, what reads it under the variables, and the clock of that.
func newVault(t *testing.T, env map[string]string) (*vault, *secrets, *time.Time) {
	t.Helper()
	v := &vault{}
	v.value.Store(held)
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	s := newSecrets(func(name string) string { return env[name] }, client, slog.New(slog.DiscardHandler))
	now := time.Now()
	s.now = func() time.Time { return now }
	return v, s, &now
}

func TestASecretIsTheVariableOrWhatItsARNNames(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, s, _ := newVault(t, map[string]string{"PLAIN": "plain", "PLAIN_ARN": arn, "HELD_ARN": arn, "GONE_ARN": arn + "x"})
	for ref, want := range map[catalog.Secret]string{
		"env:PLAIN": "plain", "env:HELD": held, "env:GONE": "", "env:NONE": "", catalog.Secret("file:" + file): "from a file",
	} {
		got, err := s.resolve(ref)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q, %v", ref, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), string(ref)) || strings.Contains(err.Error(), held)) {
			t.Errorf("the error of %s is %v", ref, err)
		}
	}
}

func TestASecretIsReadAgainAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	v, s, now := newVault(t, map[string]string{"HELD_ARN": arn})
	expect := func(when, value string, reads int64) {
		t.Helper()
		if got, err := s.resolve("env:HELD"); err != nil || got != value || v.reads.Load() != reads {
			t.Errorf("%s: %q, %v after %d readings, want %q after %d", when, got, err, v.reads.Load(), value, reads)
		}
	}
	expect("at first", held, 1)
	v.value.Store("rotated")
	*now = now.Add(4 * time.Minute)
	expect("after 4 minutes", held, 1)
	*now = now.Add(time.Minute)
	expect("after 5 minutes", "rotated", 2)
	v.value.Store("")
	*now = now.Add(5 * time.Minute)
	expect("when it cannot be read", "rotated", 3)
	expect("right after that", "rotated", 3)
	v.value.Store("back")
	*now = now.Add(30 * time.Second)
	expect("half a minute later", "back", 4)
}
