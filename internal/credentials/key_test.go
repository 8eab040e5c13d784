package credentials_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"baton.dev/baton/internal/catalog"
)

func TestAKeyIsSentAsTheTargetWantsIt(t *testing.T) {
	t.Parallel()
	v := newVault(map[catalog.Secret]string{"env:K": "sk-hunter2"})
	c := v.open(t)
	for name, tc := range map[string]struct {
		target   catalog.Target
		want     http.Header
		metadata map[string]string
	}{
		"no key": {catalog.Target{}, http.Header{}, nil},
		"a key": {
			catalog.Target{Key: "env:K"},
			http.Header{"Authorization": {"Bearer sk-hunter2"}},
			map[string]string{"authorization": "Bearer sk-hunter2"},
		},
		"a key in a header": {
			catalog.Target{Key: "env:K", Auth: catalog.Auth{Header: "api-key"}},
			http.Header{"Api-Key": {"sk-hunter2"}},
			map[string]string{"api-key": "sk-hunter2"},
		},
		"a key without Bearer": {
			catalog.Target{Key: "env:K", Auth: catalog.Auth{Header: "authorization"}},
			http.Header{"Authorization": {"sk-hunter2"}},
			map[string]string{"authorization": "sk-hunter2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := request(t, http.MethodPost, "http://model.example.com/v1")
			secrets, err := c.Authorize(t.Context(), &tc.target, req, nil)
			if err != nil || !maps.EqualFunc(req.Header, tc.want, equalValues) {
				t.Errorf("headers = %v, %v: want %v", req.Header, err, tc.want)
			}
			if len(secrets) != len(tc.want) || len(secrets) == 1 && secrets[0] != "sk-hunter2" {
				t.Errorf("secrets = %q", secrets)
			}
			metadata, err := c.Metadata(t.Context(), &tc.target)
			if err != nil || !maps.Equal(metadata, tc.metadata) {
				t.Errorf("metadata = %v, %v: want %v", metadata, err, tc.metadata)
			}
		})
	}
}

func equalValues(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") }

func TestAKeyThatWasRotatedIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	v := newVault(map[catalog.Secret]string{"env:K": "one"})
	c, target := v.open(t), &catalog.Target{Key: "env:K"}
	want(t, c, target, "Bearer one")
	v.set("env:K", "two")
	want(t, c, target, "Bearer two")
}

func TestAKeyThatCannotBeSentIsAnErrorWithoutIt(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"empty": "", "two lines": "hunter2\nX-Evil: 1", "a space at its end": "hunter2 ", "not ASCII": "hünter2hunter2", "too long": strings.Repeat("hunter2", 4000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVault(map[catalog.Secret]string{"env:K": value})
			got, err := authorization(t, v.open(t), &catalog.Target{Key: "env:K"})
			if got != "" || err == nil || unreachable(err) {
				t.Fatalf("authorized with %q, %v: want an error", got, err)
			}
			secretive(t, err.Error())
		})
	}
	_, err := authorization(t, newVault(nil).open(t), &catalog.Target{Key: "env:NONE"})
	if err == nil || err.Error() != "credentials: resolve secret env:NONE: it is not there" {
		t.Errorf("a key that does not resolve: %v", err)
	}
}
