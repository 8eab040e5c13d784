package awslambda

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	awsevents "github.com/aws/aws-lambda-go/events"
)

// A REST API hands over the same request in format 1.0, and takes no answer with a field that it does not know. It is the
// door where a web ACL is wanted, which an HTTP API cannot have.

// doorEvent is a request in either format, as one of format 2.0.
type doorEvent struct {
	awsevents.APIGatewayV2HTTPRequest
	rest bool // it came in format 1.0
}

func (e *doorEvent) UnmarshalJSON(b []byte) error {
	var in awsevents.APIGatewayProxyRequest
	// Format 2.0 has no httpMethod.
	if err := json.Unmarshal(b, &in); err == nil && in.HTTPMethod != "" {
		*e = doorEvent{APIGatewayV2HTTPRequest: ofRest(in), rest: true}
		return nil
	}
	return json.Unmarshal(b, &e.APIGatewayV2HTTPRequest)
}

// ofRest returns the request in format 2.0. A stage is not part of a path in format 1.0.
func ofRest(in awsevents.APIGatewayProxyRequest) awsevents.APIGatewayV2HTTPRequest {
	out := awsevents.APIGatewayV2HTTPRequest{
		RawPath:         (&url.URL{Path: in.Path}).EscapedPath(),
		RawQueryString:  url.Values(in.MultiValueQueryStringParameters).Encode(),
		Headers:         make(map[string]string, len(in.MultiValueHeaders)),
		Body:            in.Body,
		IsBase64Encoded: in.IsBase64Encoded,
		RequestContext: awsevents.APIGatewayV2HTTPRequestContext{
			RequestID: in.RequestContext.RequestID, DomainName: in.RequestContext.DomainName,
			HTTP: awsevents.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: in.HTTPMethod, Path: in.Path, Protocol: in.RequestContext.Protocol,
				SourceIP: in.RequestContext.Identity.SourceIP, UserAgent: in.RequestContext.Identity.UserAgent,
			},
		},
	}
	for name, values := range in.MultiValueHeaders {
		out.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return out
}

// handleEither answers a request in the format that it came in.
func (g *gateway) handleEither(ctx context.Context, in doorEvent) (any, error) {
	out, err := g.handle(ctx, in.APIGatewayV2HTTPRequest)
	if err != nil || !in.rest {
		return out, err
	}
	return awsevents.APIGatewayProxyResponse{
		StatusCode: out.StatusCode, Headers: out.Headers, MultiValueHeaders: out.MultiValueHeaders,
		Body: out.Body, IsBase64Encoded: out.IsBase64Encoded,
	}, nil
}
