package awslambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/problem"
)

type gatewayHandler = func(context.Context, json.RawMessage) (any, error)

// answer hands an event to ingest.
func (r *rig) answer(ctx context.Context, payload []byte) awsevents.APIGatewayV2HTTPResponse {
	r.t.Helper()
	handler, err := r.parts.handler()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := handler.(gatewayHandler)(ctx, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, ok := out.(awsevents.APIGatewayV2HTTPResponse)
	if !ok {
		r.t.Fatalf("answered with %T", out)
	}
	return answer
}

// withKey returns the headers of a request with the tenant's key, and more of them.
func withKey(more ...string) map[string]string {
	h := map[string]string{"authorization": "Bearer " + key, "content-type": "application/json"}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

const request = `{"request_id":"0b0b6f3e-5d7c-4f0a-9f43-0d1b7a5b0f11","model_id":"m","prompt":"é"}`

// functionURL is an event as a function URL hands it over, from AWS's documentation of them.
const functionURL = `{"version":"2.0","routeKey":"$default","rawPath":"/v1/inferences","rawQueryString":"","cookies":["a=1"],
"headers":{"authorization":"Bearer baton_test-key","content-type":"application/json","x-amzn-trace-id":"Root=1-5","x-forwarded-proto":"https"},
"requestContext":{"accountId":"anonymous","apiId":"id","authentication":null,"authorizer":{"iam":{"accessKey":"AK","accountId":"1",
"callerId":"c","cognitoIdentity":null,"principalOrgId":"o","userArn":"arn","userId":"u"}},"domainName":"id.lambda-url.us-west-2.on.aws",
"domainPrefix":"id","http":{"method":"POST","path":"/v1/inferences","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"agent"},
"requestId":"id","routeKey":"$default","stage":"$default","time":"12/Mar/2020:19:03:58 +0000","timeEpoch":1583348638390},
"body":"BODY","pathParameters":null,"isBase64Encoded":true,"stageVariables":null}`

func TestARequestIsTakenHoweverItComes(t *testing.T) {
	t.Parallel()
	staged := func(t *testing.T) []byte {
		var in awsevents.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(lambdatest.HTTPEvent(t, "POST", "/prod/v1/inferences", withKey(), request), &in); err != nil {
			t.Fatal(err)
		}
		in.RequestContext.Stage = "prod"
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, payload := range map[string][]byte{
		"API Gateway":              lambdatest.HTTPEvent(t, "POST", "/v1/inferences", withKey(), request),
		"API Gateway with a stage": staged(t),
		"function URL":             []byte(strings.Replace(functionURL, "BODY", base64.StdEncoding.EncodeToString([]byte(request)), 1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, events.Ingest, nil, nil)
			out := r.answer(t.Context(), payload)
			if out.StatusCode != http.StatusAccepted || out.IsBase64Encoded || !strings.HasPrefix(out.Headers["Location"], "/v1/inferences/") {
				t.Errorf("answered %+v", out)
			}
			stored := r.sent()["baton-schedule-normal"]
			if len(stored) != 1 || string(stored[0].Data) != request {
				t.Errorf("stored %+v", stored)
			}
		})
	}
}

// The adapter takes headers apart at commas, which belong to the values here.
func TestHeadersArriveAsTheyWereSent(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, nil)
	out := r.answer(t.Context(), lambdatest.HTTPEvent(t, "POST", "/v1/events", withKey(
		"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", string(events.Requested),
		"ce-note", "one, two,three", "tracestate", "a=1,b=2", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	), request))
	stored := r.sent()["baton-schedule-normal"]
	if len(stored) != 1 || stored[0].Extra["note"] != "one, two,three" || stored[0].TraceState != "a=1,b=2" {
		t.Errorf("answered %+v, stored %+v", out, stored)
	}
}

func TestProblemsAreAnsweredAsSuch(t *testing.T) {
	t.Parallel()
	badBase64 := strings.Replace(functionURL, "BODY", "%%%", 1)
	for name, tc := range map[string]struct {
		payload []byte
		status  int
	}{
		"no key":                   {lambdatest.HTTPEvent(t, "POST", "/v1/inferences", map[string]string{"content-type": "application/json"}, request), 401},
		"no such path":             {lambdatest.HTTPEvent(t, "GET", "/nothing", withKey(), ""), 404},
		"a wrong method":           {lambdatest.HTTPEvent(t, "PUT", "/v1/inferences", withKey(), request), 405},
		"a body that is not JSON":  {lambdatest.HTTPEvent(t, "POST", "/v1/inferences", withKey(), "{"), 400},
		"an escape that is none":   {[]byte(strings.Replace(functionURL, `"rawPath":"/v1/inferences"`, `"rawPath":"/v1/inferences/%zz"`, 1)), 400},
		"a body that is no base64": {[]byte(badBase64), 400},
		"a method that is none":    {[]byte(strings.Replace(functionURL, `"method":"POST"`, `"method":"PO ST"`, 1)), 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := newRig(t, events.Ingest, nil, nil).answer(t.Context(), tc.payload)
			if out.StatusCode != tc.status || out.Headers["Content-Type"] != problem.ContentType {
				t.Errorf("answered %+v, want %d", out, tc.status)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	r := newRig(t, events.Ingest, nil, nil)
	if out := r.answer(t.Context(), lambdatest.HTTPEvent(t, "HEAD", "/v1/models", withKey(), "")); out.StatusCode != http.StatusOK || out.Body != "" {
		t.Errorf("answered %+v", out)
	}
	if out := r.answer(t.Context(), lambdatest.HTTPEvent(t, "GET", "/v1/models", withKey(), "")); !strings.Contains(out.Body, `"m"`) {
		t.Errorf("answered %+v", out)
	}
}

func TestALongPollEndsBeforeTheInvocationDoes(t *testing.T) {
	t.Parallel()
	for within, want := range map[time.Duration]time.Duration{
		10 * time.Second: 9 * time.Second,
		25 * time.Second: 23 * time.Second,
		15 * time.Minute: 28 * time.Second, // API Gateway waits for 30 s
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &gateway{log: slog.New(slog.DiscardHandler), now: time.Now, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				w.WriteHeader(http.StatusAccepted)
			})}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			began := time.Now()
			out, err := g.handle(ctx, awsevents.APIGatewayV2HTTPRequest{RawPath: "/"})
			if took := time.Since(began); err != nil || out.StatusCode != http.StatusAccepted || took != want {
				t.Errorf("in an invocation of %v answered %d after %v, %v, want %v", within, out.StatusCode, took, err, want)
			}
		})
	}
}

func TestAnAnswerThatBrokeOffIsAProblem(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	g := &gateway{log: slog.New(slog.NewJSONHandler(log, nil)), now: time.Now, handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		panic(http.ErrAbortHandler)
	})}
	var in awsevents.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(lambdatest.HTTPEvent(t, "GET", "/", nil, ""), &in); err != nil {
		t.Fatal(err)
	}
	out, err := g.handle(t.Context(), in)
	if err != nil || out.StatusCode != http.StatusInternalServerError || strings.Contains(out.Body, "half") || !strings.Contains(log.String(), "panic") {
		t.Errorf("answered %+v, %v, and logged %s", out, err, log)
	}
}

func FuzzGateway(f *testing.F) {
	f.Add([]byte(strings.Replace(functionURL, "BODY", base64.StdEncoding.EncodeToString([]byte(request)), 1)))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"rawPath":"//x","rawQueryString":"a=%","headers":{"":"\n","host":"h"},"requestContext":{"stage":"s","http":{"method":"get"}}}`))
	f.Add([]byte(`{"rawPath":"/s/x?y#z","requestContext":{"stage":"s","domainName":"a b","http":{"method":"HEAD"}},"cookies":["\u0000"]}`))
	g := &gateway{log: slog.New(slog.DiscardHandler), now: time.Now, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" || r.URL.Path[0] != '/' {
			panic("the path is " + r.URL.Path)
		}
		_, _ = io.Copy(w, r.Body)
	})}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var in awsevents.APIGatewayV2HTTPRequest
		if json.Unmarshal(payload, &in) != nil {
			return
		}
		out, err := g.handle(t.Context(), in)
		if err == nil && out.StatusCode == http.StatusInternalServerError {
			t.Errorf("a panic: %s", payload)
		}
		if _, err := json.Marshal(out); err != nil {
			t.Errorf("an answer that is no JSON: %v", err)
		}
	})
}
