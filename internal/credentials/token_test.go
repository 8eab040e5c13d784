package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"baton.dev/baton/internal/catalog"
)

// tokenServer is an authorization server: each token it gives is its secret's and the number of the asking.
type tokenServer struct {
	mu      sync.Mutex
	answers func(w http.ResponseWriter, secret string, n int) // nil: a token
	asked   int
	forms   []url.Values
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok || id != "baton" || r.ParseForm() != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.mu.Lock()
	s.asked++
	n, answers := s.asked, s.answers
	s.forms = append(s.forms, r.PostForm)
	s.mu.Unlock()
	if answers != nil {
		answers(w, secret, n)
		return
	}
	token(w, fmt.Sprintf("%s-%d", secret, n))
}

func token(w http.ResponseWriter, value string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":3600}`, value)
}

func (s *tokenServer) answer(f func(w http.ResponseWriter, secret string, n int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = f
}

func (s *tokenServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// client starts an authorization server and returns it with a target that asks it.
func client(t *testing.T) (*tokenServer, *vault, *catalog.Target) {
	t.Helper()
	s := &tokenServer{}
	return s, newVault(map[catalog.Secret]string{"env:S": "one"}), &catalog.Target{
		Name: "main", Auth: catalog.Auth{OAuth2: &catalog.OAuth2{
			TokenURL: serve(t, s.ServeHTTP) + "/token?q=hunter2", ClientID: "baton", ClientSecret: "env:S", Scopes: []string{"a", "b"}, Audience: "models",
		}},
	}
}

func down(w http.ResponseWriter, _ string, _ int) {
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"error":"hunter2","error_description":"hunter2"}`)
}

func TestATokenIsAskedForOnceHoweverManyWantIt(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	s.answer(func(w http.ResponseWriter, _ string, n int) {
		for range 1000 {
			runtime.Gosched() // so that the others come while it is asked for
		}
		token(w, fmt.Sprintf("t%d", n))
	})
	var calls sync.WaitGroup
	for range 64 {
		calls.Go(func() { want(t, c, target, "Bearer t1") })
	}
	calls.Wait()
	want(t, c, target, "Bearer t1")
	metadata, err := c.Metadata(t.Context(), target)
	if metadata["authorization"] != "Bearer t1" || err != nil {
		t.Errorf("metadata = %v, %v", metadata, err)
	}
	if s.count() != 1 {
		t.Errorf("%d tokens were asked for", s.count())
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"a b"}, "audience": {"models"}}
	if got := s.forms[0].Encode(); got != want.Encode() {
		t.Errorf("it was asked for with %s: want %s", got, want.Encode())
	}
}

func TestATokenIsRenewedBesideTheCallsBeforeItEnds(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	want(t, c, target, "Bearer one-1")
	v.pass(58 * time.Minute)
	want(t, c, target, "Bearer one-1")
	if s.count() != 1 {
		t.Fatal("it was renewed long before its end")
	}
	v.pass(90 * time.Second)
	release := make(chan struct{})
	s.answer(func(w http.ResponseWriter, _ string, _ int) { <-release; token(w, "next") })
	for range 10 {
		want(t, c, target, "Bearer one-1") // however long the server takes
	}
	close(release)
	until(t, c.Authorize, target, "Bearer next")
	if s.count() != 2 {
		t.Errorf("%d tokens were asked for", s.count())
	}
}

// until calls until the call is authorized with the value.
func until(
	t *testing.T, authorize func(context.Context, *catalog.Target, *http.Request, func() (string, error)) ([]string, error),
	target *catalog.Target, value string,
) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		req := request(t, http.MethodPost, "http://model.example.com/v1")
		_, err := authorize(ctx, target, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if req.Header.Get("Authorization") == value {
			return
		}
		runtime.Gosched()
	}
}

func TestAServerThatFailsStopsNoCallThatHasAToken(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	want(t, c, target, "Bearer one-1")
	s.answer(down)
	v.pass(59*time.Minute + 30*time.Second)
	for !strings.Contains(v.logged(), "token not renewed") {
		want(t, c, target, "Bearer one-1")
		runtime.Gosched()
	}
	v.pass(20 * time.Second)
	for s.count() < 3 {
		want(t, c, target, "Bearer one-1")
		runtime.Gosched()
	}
	v.pass(10 * time.Second) // past its end
	_, err := authorization(t, c, target)
	if !unreachable(err) || !strings.HasSuffix(err.Error(), "credentials: the token server answered 503") {
		t.Fatalf("err = %v", err)
	}
	secretive(t, err.Error())
	asked := s.count()
	for range 10 {
		if _, again := authorization(t, c, target); again == nil || again.Error() != err.Error() {
			t.Fatalf("err = %v", again)
		}
	}
	if s.count() != asked {
		t.Error("a server that fails is asked for each call")
	}
	s.answer(nil)
	v.pass(time.Second)
	until(t, c.Authorize, target, fmt.Sprintf("Bearer one-%d", s.count()+1))
	log := v.logged()
	secretive(t, log)
	if strings.Count(log, "token not renewed") != 1 || !strings.Contains(log, "target=main") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestAClientsSecretThatWasRotatedIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	want(t, c, target, "Bearer one-1")
	v.set("env:S", "two")
	want(t, c, target, "Bearer two-2")

	// A server that does not know the next one yet stops nothing either.
	s.answer(func(w http.ResponseWriter, _ string, _ int) { w.WriteHeader(http.StatusUnauthorized) })
	v.set("env:S", "three")
	want(t, c, target, "Bearer two-2")
	s.answer(nil)
	v.pass(time.Second)
	want(t, c, target, fmt.Sprintf("Bearer three-%d", s.count()+1))
}

func TestASecretThatIsRotatedWhileATokenIsAskedForIsWaitedFor(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	asked, gone := make(chan struct{}), make(chan struct{})
	s.answer(func(w http.ResponseWriter, secret string, _ int) {
		if secret == "one" {
			close(asked)
			<-gone
			return
		}
		token(w, secret)
	})
	defer close(gone)
	var first sync.WaitGroup
	first.Go(func() { want(t, c, target, "Bearer two") })
	<-asked
	v.set("env:S", "two")
	want(t, c, target, "Bearer two")
	first.Wait()
}

func TestATokenThatIsRefusedIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	want(t, c, target, "Bearer one-1")
	v.pass(5 * time.Second)
	c.Refused(target, []string{"one-1"})
	want(t, c, target, "Bearer one-1") // it is almost new: the next would be refused too
	v.pass(time.Minute)
	c.Refused(target, []string{"another"})
	c.Refused(&catalog.Target{Key: "env:K"}, []string{"one-1"})
	want(t, c, target, "Bearer one-1")
	c.Refused(target, []string{"one-1"})
	want(t, c, target, "Bearer one-2")
	v.pass(time.Minute)
	c.Refused(target, []string{"one-1"}) // a call that was made before
	want(t, c, target, "Bearer one-2")
	if s.count() != 2 {
		t.Errorf("%d tokens were asked for", s.count())
	}
}

func TestOneWhoLeavesTakesTheTokenFromNobody(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	asked, release := make(chan struct{}), make(chan struct{})
	s.answer(func(w http.ResponseWriter, _ string, n int) {
		if n == 1 {
			close(asked)
		}
		<-release
		token(w, "t")
	})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := c.Authorize(ctx, target, request(t, http.MethodPost, "http://model.example.com"), nil)
		left <- err
	}()
	<-asked
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) || unreachable(err) {
		t.Errorf("err = %v: want that of the context", err)
	}
	close(release)
	want(t, c, target, "Bearer t")
	if s.count() != 1 {
		t.Errorf("%d tokens were asked for", s.count())
	}
}

func TestTargetsOfOneClientShareItsToken(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	same, other := *target, *target
	same.Name = "same"
	scopes := *target.Auth.OAuth2
	scopes.Scopes = []string{"c"}
	other.Auth.OAuth2 = &scopes
	want(t, c, target, "Bearer one-1")
	want(t, c, &same, "Bearer one-1")
	want(t, c, &other, "Bearer one-2")
	if s.count() != 2 {
		t.Errorf("%d tokens were asked for", s.count())
	}
}

func TestClosedCredentialsAskForNothing(t *testing.T) {
	t.Parallel()
	s, v, target := client(t)
	c := v.open(t)
	asked, gone := make(chan struct{}), make(chan struct{})
	s.answer(func(http.ResponseWriter, string, int) { close(asked); <-gone })
	defer close(gone)
	failed := make(chan error)
	go func() {
		_, err := authorization(t, c, target)
		failed <- err
	}()
	<-asked
	c.Close()
	if err := <-failed; !unreachable(err) {
		t.Errorf("err = %v", err)
	}
	if _, err := authorization(t, c, target); !unreachable(err) {
		t.Errorf("err = %v", err)
	}
	if s.count() != 1 {
		t.Errorf("%d tokens were asked for", s.count())
	}
}
