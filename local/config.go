package local

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/shared"
	"baton.dev/baton/internal/webhook"
	"baton.dev/baton/local/receiver"
)

// Tenant is the one tenant of the configuration that a local chain writes for itself.
const Tenant = "local"

//go:embed baton.yaml.tmpl
var configTemplate string

// openConfig loads the configuration and follows it. Without one of the caller's own it is DIR/baton.yaml, which is
// written with a new key and secret if it is not there, so that a directory is the same chain each time.
func (l *Local) openConfig(o Options) error {
	path := o.Config
	if path == "" {
		path = filepath.Join(l.Data, "baton.yaml")
		key, err := own(path, l.Data)
		if err != nil {
			return fmt.Errorf("local: configuration: %w", err)
		}
		l.Key = key
	}
	read := func(s catalog.Secret) (string, error) { return s.Resolve(o.Getenv) }
	watch, err := catalog.NewWatch(catalog.WatchConfig{
		Path: path, Log: o.Log,
		Accept: func(c *catalog.Catalog) error {
			return errors.Join(shared.Check(c, l.stores), c.CheckSecrets(read, webhook.CheckSecret))
		},
	})
	if err != nil {
		return err
	}
	for _, w := range watch.Current().Warnings() {
		o.Log.Warn("configuration has a warning", "what", w)
	}
	watch.Start()
	l.onStop(watch.Stop)
	l.Catalog, l.secret = watch.Current, watch.Secret
	return nil
}

// own returns the key of the configuration that the directory has, after it has made both if need be. The key and the
// secret are written first: a configuration that is there can be used.
func own(path, dir string) (key string, err error) {
	keyFile, secretFile := filepath.Join(dir, "key"), filepath.Join(dir, "webhook-secret")
	if _, err := os.Stat(path); err == nil {
		b, err := os.ReadFile(keyFile)
		return strings.TrimSpace(string(b)), err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	key, hash, err := catalog.NewKey(rand.Reader)
	if err != nil {
		return "", err
	}
	secret, err := catalog.NewWebhookSecret(rand.Reader)
	if err != nil {
		return "", err
	}
	t, err := template.New("baton.yaml").Parse(configTemplate)
	if err != nil {
		return "", err
	}
	var config bytes.Buffer
	values := map[string]string{"Tenant": Tenant, "Hash": hash, "SecretFile": filepath.Base(secretFile)}
	if err := t.Execute(&config, values); err != nil {
		return "", err
	}
	for _, f := range []struct{ path, content string }{
		{keyFile, key + "\n"}, {secretFile, secret + "\n"}, {path, config.String()},
	} {
		if err := os.WriteFile(f.path, []byte(f.content), 0o600); err != nil {
			return "", err
		}
	}
	return key, nil
}

// newReceiver returns a receiver that verifies by the secrets of all tenants.
func newReceiver(c *catalog.Catalog, read func(catalog.Secret) (string, error)) (*receiver.Receiver, error) {
	var secrets []string
	for _, t := range c.Tenants {
		for _, ref := range t.Secrets {
			s, err := read(ref)
			if err != nil {
				return nil, fmt.Errorf("local: receiver: tenant %s: %w", t.Name, err)
			}
			secrets = append(secrets, s)
		}
	}
	if len(secrets) == 0 { // no tenant has callbacks, so none verifies
		secret, err := catalog.NewWebhookSecret(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("local: receiver: %w", err)
		}
		secrets = append(secrets, secret)
	}
	verifier, err := webhook.NewVerifier(secrets)
	if err != nil {
		return nil, fmt.Errorf("local: receiver: %w", err)
	}
	return receiver.New(receiver.Config{Verifier: verifier}), nil
}
