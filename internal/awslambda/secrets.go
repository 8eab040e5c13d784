package awslambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"baton.dev/baton/internal/catalog"
)

const (
	// secretFor is how long a secret is used before it is read again, so that a rotated one is in use after that.
	secretFor = 5 * time.Minute
	// secretAgain is how soon a reading that failed is repeated, where an older value bridges the time.
	secretAgain = 30 * time.Second
	// secretWithin bounds a reading.
	secretWithin = 5 * time.Second
)

// secretReader reads secrets. A [*secretsmanager.Client] is one.
type secretReader interface {
	GetSecretValue(
		ctx context.Context, in *secretsmanager.GetSecretValueInput, options ...func(*secretsmanager.Options),
	) (*secretsmanager.GetSecretValueOutput, error)
}

// secrets resolves references: env:NAME is the variable NAME or, where that is not set, the secret of Secrets Manager whose
// ARN is in NAME_ARN. It is safe for concurrent use; who asks while a secret is read waits for the one reading.
type secrets struct {
	getenv func(string) string
	client secretReader
	log    *slog.Logger
	now    func() time.Time

	mu   sync.Mutex
	held map[string]*heldSecret // by ARN
}

type heldSecret struct {
	value string
	until time.Time
}

func newSecrets(getenv func(string) string, client secretReader, log *slog.Logger) *secrets {
	return &secrets{getenv: getenv, client: client, log: log, now: time.Now, held: map[string]*heldSecret{}}
}

// resolve returns the secret. Its error names the reference and never the value.
func (s *secrets) resolve(ref catalog.Secret) (string, error) {
	name, ok := strings.CutPrefix(string(ref), "env:")
	if !ok || s.getenv(name) != "" || s.arn(name) == "" {
		return ref.Resolve(s.getenv)
	}
	value, err := s.read(s.arn(name))
	if err != nil {
		return "", fmt.Errorf("awslambda: resolve secret %s by its ARN: %w", ref, err)
	}
	return value, nil
}

func (s *secrets) arn(name string) string { return s.getenv(name + "_ARN") }

func (s *secrets) read(arn string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[arn]
	if held != nil && s.now().Before(held.until) {
		return held.value, nil
	}
	value, err := s.fetch(arn)
	switch {
	case err == nil:
		s.held[arn] = &heldSecret{value: value, until: s.now().Add(secretFor)}
		return value, nil
	case held != nil:
		s.log.Warn("secret not read again: the value read before is used", "arn", arn, "error", err)
		held.until = s.now().Add(secretAgain)
		return held.value, nil
	default:
		return "", err
	}
}

func (s *secrets) fetch(arn string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), secretWithin)
	defer cancel()
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(arn)})
	if err != nil {
		return "", err
	}
	if value := aws.ToString(out.SecretString); value != "" {
		return value, nil
	}
	return "", errors.New("the secret is empty or no text")
}
