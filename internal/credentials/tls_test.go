package credentials_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
)

// mutual starts a server that shows a certificate for models.internal and demands one of the authority, and returns its URL and
// the serial number of the last that it was shown.
func mutual(t *testing.T, ca *authority) (url string, shown *atomic.Int64) {
	t.Helper()
	shown = &atomic.Int64{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown.Store(r.TLS.PeerCertificates[0].SerialNumber.Int64())
	}))
	cert, key := ca.issue(t, "models.internal")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(ca.pem))
	server.TLS = &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, shown
}

// dial calls over a new connection.
func dial(t *testing.T, config *tls.Config, url string) error {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(request(t, http.MethodGet, url))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestATargetIsVerifiedAndShownACertificateAsItSays(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	url, _ := mutual(t, ca)
	cert, key := ca.issue(t, "baton")
	strange, strangeKey := other.issue(t, "baton")
	c := newVault(map[catalog.Secret]string{
		"env:CA": ca.pem, "env:BOTH": other.pem + ca.pem, "env:OTHER": other.pem, "env:C": cert, "env:K": key,
		"env:SC": strange, "env:SK": strangeKey,
	}).open(t)
	for name, tc := range map[string]struct {
		of   catalog.TLS
		good bool
	}{
		"all that it wants":                {catalog.TLS{CA: "env:CA", Cert: "env:C", Key: "env:K", ServerName: "models.internal"}, true},
		"one of several authorities":       {catalog.TLS{CA: "env:BOTH", Cert: "env:C", Key: "env:K", ServerName: "models.internal"}, true},
		"another authority":                {catalog.TLS{CA: "env:OTHER", Cert: "env:C", Key: "env:K", ServerName: "models.internal"}, false},
		"the system's authorities":         {catalog.TLS{Cert: "env:C", Key: "env:K", ServerName: "models.internal"}, false},
		"another name":                     {catalog.TLS{CA: "env:CA", Cert: "env:C", Key: "env:K", ServerName: "others.internal"}, false},
		"the name in the URL":              {catalog.TLS{CA: "env:CA", Cert: "env:C", Key: "env:K"}, false},
		"no certificate":                   {catalog.TLS{CA: "env:CA", ServerName: "models.internal"}, false},
		"a certificate of somebody else's": {catalog.TLS{CA: "env:CA", Cert: "env:SC", Key: "env:SK", ServerName: "models.internal"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := c.TLS(&catalog.Target{TLS: tc.of})
			if err != nil || config == nil {
				t.Fatalf("TLS = %v, %v", config, err)
			}
			if err := dial(t, config, url); (err == nil) != tc.good {
				t.Errorf("the call: %v", err)
			}
		})
	}
}

func TestATLSConfigurationIsTheSameUntilWhatItIsMadeOfChanges(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key := ca.issue(t, "baton")
	v := newVault(map[catalog.Secret]string{"env:CA": ca.pem, "env:C": cert, "env:K": key})
	c := v.open(t)
	of := func(s catalog.TLS) *tls.Config {
		t.Helper()
		config, err := c.TLS(&catalog.Target{Name: "main", TLS: s})
		if err != nil {
			t.Fatal(err)
		}
		return config
	}
	if of(catalog.TLS{}) != nil {
		t.Error("a target that says nothing of it has one")
	}
	full := catalog.TLS{CA: "env:CA", Cert: "env:C", Key: "env:K"}
	first, authorities := of(full), of(catalog.TLS{CA: "env:CA"})
	if first != of(full) || first == authorities || authorities != of(catalog.TLS{CA: "env:CA"}) {
		t.Error("it is not the same while nothing changes, or the same for others")
	}
	next, nextKey := ca.issue(t, "baton")
	v.set("env:C", next)
	v.set("env:K", nextKey)
	second := of(full)
	if second == first || second != of(full) || authorities != of(catalog.TLS{CA: "env:CA"}) {
		t.Error("a certificate that was rotated did not make one new, and one only")
	}
	private, err := tls.X509KeyPair([]byte(next), []byte(nextKey))
	if err != nil {
		t.Fatal(err)
	}
	v.set("env:C", ca.certify(t, "baton", private.PrivateKey.(*ecdsa.PrivateKey)))
	renewed := of(full)
	if renewed == second {
		t.Error("a certificate that was renewed for the same key did not make a new one")
	}
	v.set("env:CA", newAuthority(t).pem)
	if of(full) == renewed || of(catalog.TLS{CA: "env:CA"}) == authorities {
		t.Error("authorities that were rotated did not make them new")
	}
}

func TestWhatIsNoPEMIsAnErrorWithoutIt(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key := ca.issue(t, "baton")
	other, _ := ca.issue(t, "baton")
	for name, tc := range map[string]struct {
		of   catalog.TLS
		want string
	}{
		"authorities that are none":   {catalog.TLS{CA: "env:X"}, "credentials: the ca holds no certificate"},
		"a certificate that is none":  {catalog.TLS{Cert: "env:X", Key: "env:K"}, "credentials: the cert and key do not go together, or are none"},
		"a key that is none":          {catalog.TLS{Cert: "env:C", Key: "env:X"}, "credentials: the cert and key do not go together, or are none"},
		"a key of another":            {catalog.TLS{Cert: "env:O", Key: "env:K"}, "credentials: the cert and key do not go together, or are none"},
		"authorities that are gone":   {catalog.TLS{CA: "env:N"}, "credentials: resolve secret env:N: it is not there"},
		"a key that is gone":          {catalog.TLS{Cert: "env:C", Key: "env:N"}, "credentials: resolve secret env:N: it is not there"},
		"a certificate that is gone ": {catalog.TLS{Cert: "env:N", Key: "env:K"}, "credentials: resolve secret env:N: it is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newVault(map[catalog.Secret]string{"env:X": "hunter2", "env:C": cert, "env:K": key, "env:O": other}).open(t)
			config, err := c.TLS(&catalog.Target{TLS: tc.of})
			if config != nil || err == nil || err.Error() != tc.want {
				t.Fatalf("TLS = %v, %v: want %s", config, err, tc.want)
			}
		})
	}
}

// TestACertificateIsRotatedUnderLoadAndNoCallFails replaces the files one after the other, as tools do, so that for a while they
// do not go together.
func TestACertificateIsRotatedUnderLoadAndNoCallFails(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	url, shown := mutual(t, ca)
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path+".next", []byte(content), 0o600), os.Rename(path+".next", path)); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := ca.issue(t, "baton")
	write("ca.pem", ca.pem)
	write("client.pem", cert)
	write("client.key", key)
	write("baton.yaml", "models: {m: {targets: [{name: main, api: openai, url: '"+url+"', "+
		"tls: {ca: 'file:ca.pem', cert: 'file:client.pem', key: 'file:client.key', server_name: models.internal}}]}}\n")
	watch, err := catalog.NewWatch(catalog.WatchConfig{
		Path: filepath.Join(dir, "baton.yaml"), Interval: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Accept: func(c *catalog.Catalog) error {
			return c.CheckTargetKeys(func(s catalog.Secret) (string, error) { return s.Resolve(func(string) string { return "" }) })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	watch.Start()
	t.Cleanup(watch.Stop)
	c := credentials.New(credentials.Config{Key: watch.Secret})
	t.Cleanup(c.Close)

	var (
		load    sync.WaitGroup
		stop    = make(chan struct{})
		configs sync.Map
		first   = ca.serial()
	)
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				target, _, _ := watch.Current().Target("main")
				config, err := c.TLS(target)
				if err == nil {
					configs.Store(config, true)
					err = dial(t, config, url)
				}
				if err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
			}
		})
	}
	sees := func(serial int64) {
		t.Helper()
		for begun := time.Now(); shown.Load() != serial; {
			if time.Since(begun) > time.Minute || t.Failed() {
				t.Fatalf("the server was shown %d: want %d", shown.Load(), serial)
			}
			runtime.Gosched()
		}
	}
	sees(first)
	for range 3 {
		cert, key := ca.issue(t, "baton")
		write("client.pem", cert)
		sees(shown.Load()) // some calls between the two
		write("client.key", key)
		sees(ca.serial())
	}
	close(stop)
	load.Wait()
	made := 0
	configs.Range(func(any, any) bool { made++; return true })
	if made != 4 {
		t.Errorf("there were %d configurations: want one for each certificate, 4", made)
	}
}
