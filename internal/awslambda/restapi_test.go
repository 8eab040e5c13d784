package awslambda

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestARestAPIIsAnsweredAsAnHTTPAPIIs(t *testing.T) {
	t.Parallel()
	g := &gateway{log: slog.New(slog.DiscardHandler), now: time.Now, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", r.URL.RequestURI())
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Ce-Subject")+" "+string(body))
	})}
	const event = `{"resource":"/{proxy+}","path":"/v1/inferences","httpMethod":"POST",
		"headers":{"Authorization":"Bearer k"},"multiValueHeaders":{"Authorization":["Bearer k"],"ce-subject":["a, b"]},
		"multiValueQueryStringParameters":{"wait":["3s"]},
		"requestContext":{"path":"/live/v1/inferences","stage":"live","identity":{"sourceIp":"192.0.2.1"}},
		"body":"eyJhIjoxfQ==","isBase64Encoded":true}`
	out, err := logged(g.log, g.handleEither)(t.Context(), json.RawMessage(event))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for name := range got {
		switch name {
		case "statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded":
		default:
			t.Errorf("a REST API takes no answer with the field %s", name)
		}
	}
	if want := `"POST Bearer k a, b {\"a\":1}"`; string(got["body"]) != want || string(got["statusCode"]) != "202" {
		t.Errorf("answer %s", b)
	}
	if !strings.Contains(string(b), "/v1/inferences?wait=3s") {
		t.Errorf("answer %s", b)
	}
}
