package catalog

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAWatchThroughAStormOfRewrites rewrites the file and its secret in every way there is, at random moments between looks,
// and holds that what is in force was valid as a whole, and that the watch follows whenever a valid content stands.
func TestAWatchThroughAStormOfRewrites(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { storm(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

// version returns a valid file that names its version in each part, and of which no part alone is valid. Some refer to a secret
// in a file.
func version(n int) string {
	secret := "env:S"
	if n%3 == 0 {
		secret = "file:secret"
	}
	return fmt.Sprintf(`{models: {m%d: {targets: [{name: t%d, api: simulated}]}},
tenants: {t%d: {keys: ["sha256:%064x"], secrets: ["%s"]}}}`, n, n, n, n, secret)
}

func storm(t *testing.T, random *rand.Rand) {
	t.Helper()
	read := func(s Secret) (string, error) { return s.Resolve(func(string) string { return "whsec_env" }) }
	w, path, _, replace, _ := watchBeside(t, version(0), func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("whsec_0"), 0o600); err != nil {
			t.Fatal(err)
		}
	}, func(c *Catalog) error { return c.CheckSecrets(read, whsec) })
	secret := filepath.Join(filepath.Dir(path), "secret")
	overwrite := func(path, src string) { // in place, as an editor or echo does
		t.Helper()
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 200; n++ {
		src := version(n)
		switch random.IntN(10) {
		case 0:
			overwrite(path, src)
		case 1:
			overwrite(path, src[:random.IntN(len(src))])
		case 2:
			overwrite(path, "")
		case 3:
			replace(strings.Replace(src, "api: simulated", "api: simulatde", 1))
		case 4:
			replace(strings.Replace(src, "sha256:", "", 1))
		case 5:
			_ = os.Remove(path) // it may be gone already
		case 6:
			overwrite(secret, []string{"", "no secret", "whsec_", fmt.Sprint("whsec_", n)}[random.IntN(4)])
		case 7:
			_ = os.Remove(secret)
		default:
			replace(src)
		}
		<-time.After(time.Duration(random.Int64N(int64(3 * DefaultInterval))))
		synctest.Wait()
		whole(t, w)
	}

	overwrite(secret, "whsec_last")
	replace(version(999)) // it refers to the secret's file
	<-time.After(3 * DefaultInterval)
	synctest.Wait()
	has(t, w, "m999")
	if got, err := w.Secret(w.Current().Tenants["t999"].Secrets[0]); got != "whsec_last" || err != nil {
		t.Errorf("the secret in force is %q, %v", got, err)
	}
}

// whole checks that the catalog in force is one of the versions and no mixture, and that its secret can sign.
func whole(t *testing.T, w *Watch) {
	t.Helper()
	c := w.Current()
	for id, m := range c.Models {
		n := strings.TrimPrefix(id, "m")
		tenant := c.Tenants["t"+n]
		if len(c.Models) != 1 || len(c.Tenants) != 1 || tenant == nil || len(m.Targets) != 1 || m.Targets[0].Name != "t"+n {
			t.Fatalf("the catalog in force is no version: %v, %v", c.Models, c.Tenants)
		}
		if got, err := w.Secret(tenant.Secrets[0]); err != nil || whsec(got) != nil {
			t.Fatalf("the secret in force is %q, %v", got, err)
		}
	}
}

func TestOneOfTwoKeysCanBeTakenAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := func(keys ...string) string {
			for i, key := range keys {
				keys[i] = HashKey(key)
			}
			return one + "tenants: {t: {keys: [" + strings.Join(keys, ", ") + "]}}\n"
		}
		w, _, _, write, looks := watch(t, tenant("old"))
		belong := func(key string, want bool) {
			t.Helper()
			if of, ok := w.Current().TenantByKey(key); ok != want || ok && of.Name != "t" {
				t.Errorf("key %q is of %v, %v: want %v", key, of, ok, want)
			}
		}
		belong("old", true)
		belong("new", false)
		write(tenant("old", "new"))
		looks(2)
		belong("old", true)
		belong("new", true)
		write(tenant("new"))
		looks(2)
		belong("old", false)
		belong("new", true)
	})
}
