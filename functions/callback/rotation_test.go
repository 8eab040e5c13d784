package callback_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/functions/callback"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/webhook"
)

// configured is a callback function that follows a configuration and its secrets on disk, as a process does.
type configured struct {
	*chain
	*receiver
	dir   string
	watch *catalog.Watch

	logs sync.Mutex
	log  bytes.Buffer // of the watch
}

func (c *configured) Write(b []byte) (int, error) {
	c.logs.Lock()
	defer c.logs.Unlock()
	return c.log.Write(b)
}

func (c *configured) logged(what string) bool {
	c.logs.Lock()
	defer c.logs.Unlock()
	return strings.Contains(c.log.String(), what)
}

// configure returns one whose tenant has the keys and secrets, both as a list in YAML.
func configure(t *testing.T, keys, secrets string) *configured {
	t.Helper()
	c := &configured{receiver: newReceiver(t, status(http.StatusNoContent)), dir: t.TempDir()}
	c.write(t, "old", oldSecret)
	c.write(t, "new", newSecret)
	c.rewrite(t, keys, secrets)
	read := func(s catalog.Secret) (string, error) { return s.Resolve(func(string) string { return "" }) }
	watch, err := catalog.NewWatch(catalog.WatchConfig{
		Path: filepath.Join(c.dir, "baton.yaml"), Interval: time.Millisecond, Log: slog.New(slog.NewTextHandler(c, nil)),
		Accept: func(cat *catalog.Catalog) error { return cat.CheckTenantSecrets(read, webhook.CheckSecret) },
	})
	if err != nil {
		t.Fatal(err)
	}
	watch.Start()
	t.Cleanup(watch.Stop)
	c.watch = watch
	c.chain = setup(t, func(cfg *callback.Config, _ *catalog.Catalog) { cfg.Catalog, cfg.Secrets = watch.Current, watch.Secret })
	return c
}

// write replaces a file by one with the content.
func (c *configured) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path+".next", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

func (c *configured) rewrite(t *testing.T, keys, secrets string) {
	t.Helper()
	c.write(t, "baton.yaml", "models: {m: {targets: [{name: s, api: simulated}]}}\n"+
		"callbacks: {allow_networks: [127.0.0.0/8], allow_http: true}\n"+
		"tenants: {search: {keys: "+keys+", secrets: "+secrets+"}}\n")
}

// deliverUntil makes deliveries, one after the other, until one is as wanted. Each must succeed.
func (c *configured) deliverUntil(t *testing.T, what string, wanted func(post) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		wantDone(t, c.handle(t.Context(), completed(c.URL)))
		posts := c.got()
		if wanted(posts[len(posts)-1]) {
			return
		}
	}
	t.Fatalf("no delivery came %s", what)
}

func signedBy(t *testing.T, secret string) func(post) bool {
	t.Helper()
	v := verifier(t, secret)
	return func(p post) bool { return v.Verify(p.header, []byte(p.body), time.Now()) == nil }
}

func TestASecretRotatesOnDiskAndNoDeliveryFails(t *testing.T) {
	t.Parallel()
	newest := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32))
	keys := `["` + catalog.HashKey("key") + `"]`
	c := configure(t, keys, `["file:new", "file:old"]`)
	byOld, byNew, byNewest := signedBy(t, oldSecret), signedBy(t, newSecret), signedBy(t, newest)

	c.deliverUntil(t, "signed by both", func(p post) bool { return byOld(p) && byNew(p) })
	c.write(t, "new", "hunter2")
	c.deliverUntil(t, "after what is no secret was refused", func(post) bool { return c.logged("refused, the old one stays\" changed=secrets") })
	c.deliverUntil(t, "signed as before", func(p post) bool { return byOld(p) && byNew(p) })
	c.write(t, "new", newest)
	c.deliverUntil(t, "signed by the newest", byNewest)
	c.rewrite(t, keys, `["file:new"]`)
	c.deliverUntil(t, "without the old signature", func(p post) bool { return !byOld(p) })

	for i, p := range c.got() {
		if !byNew(p) && !byNewest(p) {
			t.Errorf("delivery %d is signed by neither of the secrets that were in force", i)
		}
	}
	for _, never := range []string{"hunter2", strings.TrimPrefix(oldSecret, "whsec_"), strings.TrimPrefix(newest, "whsec_")} {
		if c.logged(never) {
			t.Errorf("the log of the watch holds %q", never)
		}
	}
}

func TestASecretThatNothingWasSignedWithIsNotReadInTheMidstOfItsChange(t *testing.T) {
	t.Parallel()
	c := configure(t, `["`+catalog.HashKey("key")+`"]`, `["file:new"]`)
	c.write(t, "new", "")
	wantDone(t, c.handle(t.Context(), completed(c.URL)))
	if p := c.got()[0]; !signedBy(t, newSecret)(p) {
		t.Error("the first delivery is not signed by the secret that was accepted")
	}
}

func TestWhatWasAcceptedByAKeyIsDeliveredAfterTheKeyIsTakenAway(t *testing.T) {
	t.Parallel()
	list := func(keys ...string) string {
		for i, key := range keys {
			keys[i] = `"` + catalog.HashKey(key) + `"`
		}
		return "[" + strings.Join(keys, ", ") + "]"
	}
	c := configure(t, list("first", "second"), `["file:new"]`)
	for _, key := range []string{"first", "second"} {
		if tenant, ok := c.watch.Current().TenantByKey(key); !ok || tenant.Name != "search" {
			t.Errorf("key %s is of %v", key, tenant)
		}
	}
	accepted := completed(c.URL)
	c.rewrite(t, list("second"), `["file:new"]`)
	c.deliverUntil(t, "after the key was taken away", func(post) bool {
		_, ok := c.watch.Current().TenantByKey("first")
		return !ok
	})
	wantDone(t, c.handle(t.Context(), accepted))
	posts := c.got()
	if !signedBy(t, newSecret)(posts[len(posts)-1]) {
		t.Error("the delivery is not signed")
	}
	if _, ok := c.watch.Current().TenantByKey("second"); !ok {
		t.Error("the other key was taken away too")
	}
}
