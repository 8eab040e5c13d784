package catalog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"
)

// pair returns a new certificate and its key, as PEM.
func pair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

const withCredentials = `models:
  m:
    targets:
      - {name: a, api: openai, url: https://h, tls: {ca: env:CA, key: env:KEY, cert: env:CERT}}
      - {name: b, api: openai, url: https://h, auth: {oauth2: {token_url: 'https://h/t', client_id: b, client_secret: env:CLIENT}}}
      - {name: c, api: openai, url: https://h, auth: {sigv4: {region: r, access_key: env:ACCESS, secret_key: env:SECRET}}}
kafka: {brokers: ['k:1'], username: env:USER, password: env:PASSWORD}
`

func TestEverythingThatATargetIsCalledWithIsChecked(t *testing.T) {
	t.Parallel()
	cert, key := pair(t)
	other, otherKey := pair(t)
	good := map[Secret]string{
		"env:CA": other + cert, "env:CERT": cert, "env:KEY": key, "env:CLIENT": "c", "env:ACCESS": "a", "env:SECRET": "s",
		"env:USER": "u", "env:PASSWORD": "p",
	}
	const (
		at   = "baton.yaml:4:58: models.m.targets[0].tls.ca: env:CA holds no certificate: expected PEM, -----BEGIN CERTIFICATE-----"
		keys = "baton.yaml:4:71: models.m.targets[0].tls.key: env:KEY holds no private key, as PEM, of the certificate that env:CERT holds"
		sent = " holds no credential: expected one line of visible ASCII, without a space at its ends"
	)
	for name, tc := range map[string]struct {
		secret Secret
		value  string
		want   string
	}{
		"all is good":                           {"", "", "<nil>"},
		"authorities that are no PEM":           {"env:CA", "hunter2", at},
		"a key in place of authorities":         {"env:CA", key, at},
		"a certificate that is none":            {"env:CERT", "hunter2", "baton.yaml:4:86: models.m.targets[0].tls.cert: env:CERT holds no certificate: expected PEM, -----BEGIN CERTIFICATE-----"},
		"a key of another certificate":          {"env:KEY", otherKey, keys},
		"a key that is none":                    {"env:KEY", "hunter2", keys},
		"a client's secret of two lines":        {"env:CLIENT", "hunter2\nb", "baton.yaml:5:119: models.m.targets[1].auth.oauth2.client_secret: env:CLIENT" + sent},
		"a key of AWS with a newline":           {"env:ACCESS", "hunter2\n", "baton.yaml:6:86: models.m.targets[2].auth.sigv4.access_key: env:ACCESS" + sent},
		"a secret key of AWS with a newline":    {"env:SECRET", "hunter2\n", "baton.yaml:6:110: models.m.targets[2].auth.sigv4.secret_key: env:SECRET" + sent},
		"a certificate that is not there":       {"env:CERT", "", "baton.yaml:4:86: models.m.targets[0].tls.cert: does not resolve: env:CERT: the variable is not set or empty"},
		"a key that is not there":               {"env:KEY", "", "baton.yaml:4:71: models.m.targets[0].tls.key: does not resolve: env:KEY: the variable is not set or empty"},
		"a password that Kafka is not given":    {"env:PASSWORD", "", "<nil>"},
		"a bundle of authorities with comments": {"env:CA", "# hunter2\n" + other + "\n" + cert, "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parse(t, withCredentials).CheckTargetKeys(func(s Secret) (string, error) {
				return s.Resolve(func(name string) string {
					if s == tc.secret {
						return tc.value
					}
					return good[Secret("env:"+name)]
				})
			})
			equal(t, "error", fmt.Sprint(err), tc.want)
		})
	}
}

func TestWhatKafkaIsGivenIsCheckedForThoseWhoTakeRequestsIn(t *testing.T) {
	t.Parallel()
	c := parse(t, withCredentials)
	err := c.CheckIntakeSecrets(func(s Secret) (string, error) {
		return s.Resolve(func(name string) string { return map[string]string{"USER": "u\nhunter2"}[name] })
	})
	equal(t, "error", fmt.Sprint(err), "baton.yaml:7:37: kafka.username: env:USER holds no credential: expected one line of visible ASCII, "+
		"without a space at its ends\nbaton.yaml:7:57: kafka.password: does not resolve: env:PASSWORD: the variable is not set or empty")
	if err := c.CheckTenantSecrets(func(Secret) (string, error) { t.Error("a secret was read"); return "", nil }, whsec); err != nil {
		t.Error(err)
	}
}
