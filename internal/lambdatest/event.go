package lambdatest

import (
	"encoding/json"
	"net/url"
	"testing"

	awsevents "github.com/aws/aws-lambda-go/events"
)

// HTTPEvent returns the event of a request as an API Gateway HTTP API hands it over, in format 2.0. The target is a path,
// with a query or without.
func HTTPEvent(t testing.TB, method, target string, headers map[string]string, body string) []byte {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	event := awsevents.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: u.Path, RawQueryString: u.RawQuery, Headers: headers, Body: body,
	}
	event.RequestContext = awsevents.APIGatewayV2HTTPRequestContext{
		RouteKey: "$default", AccountID: "000000000000", Stage: "$default", APIID: "api", DomainName: "api.execute-api.us-east-1.amazonaws.com",
		HTTP: awsevents.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: method, Path: u.Path, Protocol: "HTTP/1.1", SourceIP: "192.0.2.1", UserAgent: "test",
		},
	}
	b, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
