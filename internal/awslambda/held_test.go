package awslambda

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/tokens"
)

// decoded returns the body of an answer.
func decoded(t *testing.T, out awsevents.APIGatewayV2HTTPResponse) string {
	t.Helper()
	if !out.IsBase64Encoded {
		return out.Body
	}
	b, err := base64.StdEncoding.DecodeString(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An answer goes out when it is whole: a stream is told so, and ends soon with what there is, for its caller to come again.
func TestAStreamComesInShortTurns(t *testing.T) {
	t.Parallel()
	relay := tokens.NewMemory()
	r := newRig(t, events.Ingest, nil, nil)
	r.parts.tokens = relay
	if out := r.answer(t.Context(), lambdatest.HTTPEvent(t, "POST", "/v1/inferences", withKey(), request)); out.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %+v", out)
	}
	id := r.sent()["baton-schedule-normal"][0].Subject
	relay.Send(id, tokens.Piece{ID: tokens.ID{Attempt: 1, Token: 1}, Text: "Grüß"})
	relay.Send(id, tokens.Piece{ID: tokens.ID{Attempt: 1, Token: 1, N: 1}, Text: " Gott"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for after, want := range map[string][]string{"": {"event: status", "1.1.0", "Grüß", "1.1.1", " Gott"}, "1.1.0": {"1.1.1", " Gott"}} {
		headers := withKey("accept", "text/event-stream")
		if after != "" {
			headers["last-event-id"] = after
		}
		began := time.Now()
		out := r.answer(ctx, lambdatest.HTTPEvent(t, "GET", "/v1/inferences/"+id+"/stream", headers, ""))
		body := decoded(t, out)
		if took := time.Since(began); out.StatusCode != http.StatusOK || took > 20*time.Second {
			t.Errorf("answered %+v after %v", out, took)
		}
		for _, w := range append(want, "retry: 50", ": to be continued") {
			if !strings.Contains(body, w) {
				t.Errorf("after %q the stream lacks %q: %s", after, w, body)
			}
		}
		if after != "" && strings.Contains(body, "Grüß") {
			t.Errorf("the stream repeats: %s", body)
		}
	}
}

// A caller of OpenAI's protocol waits for the answer itself, and API Gateway no longer than half a minute.
func TestWhoWaitsForTheAnswerItselfIsToldThatItIsNotThereYet(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	out := r.answer(ctx, lambdatest.HTTPEvent(t, "POST", "/v1/chat/completions", withKey(),
		`{"model":"m","messages":[{"role":"user","content":"p"}]}`))
	if out.StatusCode != http.StatusGatewayTimeout || !strings.Contains(out.Body, "/v1/inferences/") {
		t.Errorf("answered %+v", out)
	}
}

func TestAHandlerThatSaysNothingIsNoFailedInvocation(t *testing.T) {
	t.Parallel()
	g := &gateway{log: slog.New(slog.DiscardHandler), now: time.Now, handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	out, err := g.handle(t.Context(), awsevents.APIGatewayV2HTTPRequest{RawPath: "/"})
	if err != nil || out.StatusCode != http.StatusServiceUnavailable || out.Headers["Retry-After"] == "" {
		t.Errorf("answered %+v, %v", out, err)
	}
}
