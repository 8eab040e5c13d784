package credentials_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/credentials"
)

// TestWhatATokenServerMayAnswer has servers that give no token. Everything they write, and the URL, holds a secret.
func TestWhatATokenServerMayAnswer(t *testing.T) {
	t.Parallel()
	write := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", "/hunter2")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const json, html = "application/json", "text/html"
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  string // of the error, after the package's name
		soon  bool
	}{
		"a client it does not know": {
			write(401, json, `{"error":"invalid_client","error_description":"hunter2"}`), "the token server answered 401 (invalid_client)", false,
		},
		"a code that is not the RFC's": {write(400, json, `{"error":"hunter2"}`), "the token server answered 400", false},
		"an error without a body":      {write(403, html, ""), "the token server answered 403", false},
		"an error of the status 200":   {write(200, json, `{"error":"invalid_scope"}`), "the token server answered 200 (invalid_scope)", false},
		"a redirect":                   {write(307, html, "hunter2"), "the token server answered 307", false},
		"too many requests":            {write(429, html, "hunter2"), "the token server answered 429", true},
		"a failure":                    {write(500, html, "hunter2"), "the token server answered 500", true},
		"a page":                       {write(200, html, "<p>hunter2"), "the token server's answer holds no token", true},
		"nothing":                      {write(200, json, ""), "the token server's answer holds no token", true},
		"no token":                     {write(200, json, `{"token":"hunter2"}`), "the token server's answer holds no token", true},
		"a token of another type": {
			write(200, json, `{"access_token":"hunter2","token_type":"mac"}`), "the token that the token server gave is no bearer token", false,
		},
		"a token of two lines": {
			write(200, json, `{"access_token":"hunter2\nX-Evil: 1","token_type":"bearer"}`), "the token that the token server gave is no header value", false,
		},
		"a token that is too long": {
			write(200, json, `{"access_token":"`+strings.Repeat("hunter2", 4000)+`","token_type":"bearer"}`),
			"the token that the token server gave is no header value", false,
		},
		"a connection that is cut": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, "the connection to the token server is broken", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVault(map[catalog.Secret]string{"env:S": "hunter2"})
			target := &catalog.Target{Name: "main", Auth: catalog.Auth{OAuth2: &catalog.OAuth2{
				TokenURL: serve(t, tc.serve) + "/?hunter2", ClientID: "baton", ClientSecret: "env:S",
			}}}
			got, err := authorization(t, v.open(t), target)
			if got != "" || err == nil || !strings.HasSuffix(err.Error(), "credentials: "+tc.want) || unreachable(err) != tc.soon {
				t.Fatalf("authorized with %q, %v: want %q, soon another: %v", got, err, tc.want, tc.soon)
			}
			secretive(t, err.Error()+v.logged())
		})
	}
}

func TestATokenServerThatIsNotThereIsAnErrorWithoutItsURL(t *testing.T) {
	t.Parallel()
	unknown := transport(func(*http.Request) (*http.Response, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "hunter2.example.com"}
	})
	for name, tc := range map[string]struct {
		transport http.RoundTripper
		want      string
	}{
		"a port that nothing listens on": {nil, "the token server cannot be reached: connection refused"},
		"a name that is none":            {unknown, "the token server's name does not resolve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVault(map[catalog.Secret]string{"env:S": "hunter2"})
			c := credentials.New(credentials.Config{Key: v.resolve, Transport: tc.transport})
			t.Cleanup(c.Close)
			_, err := authorization(t, c, &catalog.Target{Auth: catalog.Auth{OAuth2: &catalog.OAuth2{
				TokenURL: "http://127.0.0.1:1/?hunter2", ClientID: "baton", ClientSecret: "env:S",
			}}})
			if !unreachable(err) || !strings.HasSuffix(err.Error(), tc.want) {
				t.Fatalf("err = %v: want %s", err, tc.want)
			}
			secretive(t, err.Error())
		})
	}
}

// transport answers requests in place of a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := credentials.New(credentials.Config{
			Key: func(catalog.Secret) (string, error) { return "hunter2", nil },
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}),
		})
		defer c.Close()
		begun := time.Now()
		_, err := authorization(t, c, &catalog.Target{Auth: catalog.Auth{OAuth2: &catalog.OAuth2{TokenURL: "https://login", ClientID: "b", ClientSecret: "env:S"}}})
		if !unreachable(err) || !strings.HasSuffix(err.Error(), "the token server did not answer in time") {
			t.Errorf("err = %v", err)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestATokenIsUsedForAsLongAsItLives goes through lives of tokens second by second.
func TestATokenIsUsedForAsLongAsItLives(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lives string        // as the server states it
		every time.Duration // how often one is asked for while calls come all the time
	}{
		"an hour":                         {`,"expires_in":3600`, 59 * time.Minute},
		"a minute":                        {`,"expires_in":60`, 48 * time.Second},
		"two seconds, stated as text":     {`,"expires_in":"2"`, 2 * time.Second},
		"what the server does not say":    {"", 4 * time.Minute},
		"no time, for which it is useful": {`,"expires_in":-1`, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asked []time.Time
				c := credentials.New(credentials.Config{
					Key: func(catalog.Secret) (string, error) { return "s", nil },
					Transport: transport(func(*http.Request) (*http.Response, error) {
						asked = append(asked, time.Now())
						body := `{"access_token":"t","token_type":"Bearer"` + tc.lives + `}`
						header := http.Header{"Content-Type": {"application/json"}}
						return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
					}),
				})
				defer c.Close()
				target := &catalog.Target{Auth: catalog.Auth{OAuth2: &catalog.OAuth2{TokenURL: "https://login", ClientID: "b", ClientSecret: "env:S"}}}
				for len(asked) < 4 {
					want(t, c, target, "Bearer t")
					time.Sleep(time.Second) // of virtual time
					synctest.Wait()
				}
				for i := range 3 {
					if took := asked[i+1].Sub(asked[i]); took != tc.every {
						t.Errorf("asking %d is %v after the one before: want %v", i+1, took, tc.every)
					}
				}
			})
		})
	}
}
