package model

import (
	"fmt"
	"testing"

	"baton.dev/baton/events"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		api    apiError
		want   string
	}{
		{status: 101, want: events.CodeUnavailable},
		{status: 301, want: events.CodeUnavailable},
		{status: 307, want: events.CodeUnavailable},
		{status: 400, want: events.CodeInvalidRequest},
		{status: 400, api: apiError{Code: "context_length_exceeded"}, want: events.CodeInvalidRequest},
		{status: 400, api: apiError{Code: "content_filter"}, want: events.CodeContentRefused},
		{status: 400, api: apiError{Code: "content_policy_violation"}, want: events.CodeContentRefused},
		{status: 400, api: apiError{Code: "billing_hard_limit_reached"}, want: events.CodeQuotaExhausted},
		{status: 400, api: apiError{Code: "model_not_found"}, want: events.CodeUnknownModel},
		{status: 401, api: apiError{Code: "invalid_api_key"}, want: events.CodeUnauthorized},
		{status: 402, want: events.CodeQuotaExhausted},
		{status: 403, want: events.CodeUnauthorized},
		{status: 403, api: apiError{Type: "insufficient_quota"}, want: events.CodeQuotaExhausted},
		{status: 404, want: events.CodeUnknownModel},
		{status: 404, api: apiError{Code: "model_not_found"}, want: events.CodeUnknownModel},
		{status: 405, want: events.CodeInvalidRequest},
		{status: 408, want: events.CodeTimeout},
		{status: 409, want: events.CodeUnavailable},
		{status: 413, want: events.CodeInvalidRequest},
		{status: 415, want: events.CodeInvalidRequest},
		{status: 418, want: events.CodeInvalidRequest},
		{status: 422, want: events.CodeInvalidRequest},
		{status: 425, want: events.CodeUnavailable},
		{status: 429, want: events.CodeRateLimited},
		{status: 429, api: apiError{Code: "rate_limit_exceeded", Type: "tokens"}, want: events.CodeRateLimited},
		{status: 429, api: apiError{Code: "insufficient_quota"}, want: events.CodeQuotaExhausted},
		{status: 429, api: apiError{Type: "insufficient_quota"}, want: events.CodeQuotaExhausted},
		{status: 429, api: apiError{Code: "billing_hard_limit_reached"}, want: events.CodeQuotaExhausted},
		{status: 500, want: events.CodeUnavailable},
		{status: 500, api: apiError{Code: "insufficient_quota"}, want: events.CodeUnavailable},
		{status: 501, want: events.CodeUnavailable},
		{status: 502, want: events.CodeUnavailable},
		{status: 503, want: events.CodeUnavailable},
		{status: 504, want: events.CodeTimeout},
		{status: 524, want: events.CodeTimeout},
		{status: 529, want: events.CodeUnavailable},
		{status: 999, want: events.CodeUnavailable},
	} {
		t.Run(fmt.Sprintf("%d %s%s is %s", tc.status, tc.api.Code, tc.api.Type, tc.want), func(t *testing.T) {
			t.Parallel()
			if got := classify(tc.status, tc.api); got != tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// refusals are the bodies of refusals by servers in the field.
var refusals = map[string]struct {
	body string
	want apiError
}{
	"OpenAI": {
		`{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
		apiError{"insufficient_quota", "insufficient_quota", "You exceeded your current quota"},
	},
	"OpenAI without a code": {
		`{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}`,
		apiError{"", "invalid_request_error", "bad"},
	},
	"Azure": {
		`{"error":{"message":"filtered","type":null,"code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`,
		apiError{"content_filter", "", "filtered"},
	},
	"vLLM": {
		`{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`,
		apiError{"400", "BadRequestError", "too long"},
	},
	"OpenRouter":              {`{"error":{"code":402,"message":"no credits"}}`, apiError{"402", "", "no credits"}},
	"Ollama":                  {`{"error":"model \"x\" not found"}`, apiError{"", "", `model "x" not found`}},
	"FastAPI":                 {`{"detail":"Not Found"}`, apiError{"", "", "Not Found"}},
	"FastAPI on bad fields":   {`{"detail":[{"loc":["body","x"],"msg":"missing"}]}`, apiError{}},
	"a page":                  {`<html><body>502 Bad Gateway</body></html>`, apiError{}},
	"nothing":                 {``, apiError{}},
	"null":                    {`null`, apiError{}},
	"an array":                {`[1]`, apiError{}},
	"a number for an error":   {`{"error":5}`, apiError{}},
	"fields of another shape": {`{"error":{"code":{"a":1},"type":[2],"message":3}}`, apiError{}},
}

func TestDecodeAPIError(t *testing.T) {
	t.Parallel()
	for name, tc := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := decodeAPIError([]byte(tc.body)); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func FuzzDecodeAPIError(f *testing.F) {
	for _, r := range refusals {
		f.Add([]byte(r.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for status := 300; status < 600; status += 100 {
			if classify(status, decodeAPIError(body)) == "" {
				t.Errorf("status %d has no code", status)
			}
		}
	})
}
