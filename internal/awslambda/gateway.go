package awslambda

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"baton.dev/baton/internal/problem"
)

// gateway answers the requests that an API Gateway HTTP API or a function URL hands over. Both do so in the same format,
// version 2.0, but for what they say of authorizers.
type gateway struct {
	handler http.Handler
	log     *slog.Logger
	now     func() time.Time
	adapter core.RequestAccessorV2
}

const (
	// maxHeld is the longest that an answer is held back, as a long poll is: an HTTP API waits 30 seconds for one.
	maxHeld = 28 * time.Second
	// maxUnheld is what is kept of an invocation to answer when a wait is over, at most.
	maxUnheld = 2 * time.Second
)

// handle answers one request.
func (g *gateway) handle(ctx context.Context, in awsevents.APIGatewayV2HTTPRequest) (awsevents.APIGatewayV2HTTPResponse, error) {
	held := maxHeld
	if deadline, ok := ctx.Deadline(); ok {
		left := deadline.Sub(g.now())
		held = min(held, left-min(left/10, maxUnheld))
	}
	ctx, cancel := context.WithTimeout(ctx, held)
	defer cancel()
	in.RawPath = withoutStage(in)
	w := core.NewProxyResponseWriterV2()
	if r, err := g.adapter.EventToRequestWithContext(ctx, in); err != nil {
		problem.New(problem.Malformed, "The path, the query or the body of the request cannot be read.").Write(w)
	} else {
		restoreHeaders(r, in.Headers)
		w = g.serve(w, r)
	}
	out, err := w.GetProxyResponse()
	if err != nil { // the handler has gone without a word, as if the caller were gone
		w = core.NewProxyResponseWriterV2()
		problem.New(problem.Unavailable, "The answer was not there within the time that a request may take here.").
			With("Retry-After", "1").Write(w)
		if out, err = w.GetProxyResponse(); err != nil {
			return out, err
		}
	}
	if out, err = fitted(out); err != nil {
		return out, err
	}
	if in.RequestContext.HTTP.Method == http.MethodHead {
		out.Body, out.IsBase64Encoded = "", false
	}
	return out, err
}

// serve calls the handler. Where a server would break the connection, since an answer broke off half way, there is none to
// break: the caller gets a problem in its place.
func (g *gateway) serve(w *core.ProxyResponseWriterV2, r *http.Request) (answer *core.ProxyResponseWriterV2) {
	defer func() {
		if v := recover(); v != nil {
			g.log.Error("panic", "panic", v)
			answer = core.NewProxyResponseWriterV2()
			problem.New(problem.Internal, "").Write(answer)
		}
	}()
	g.handler.ServeHTTP(w, r)
	return w
}

// restoreHeaders sets the headers as they came: the adapter takes them apart at each comma, also where it belongs to the
// value, as in a CloudEvents attribute. What a caller sent twice has come joined by commas, which means the same.
func restoreHeaders(r *http.Request, headers map[string]string) {
	for name, value := range headers {
		r.Header.Set(name, value)
	}
}

// withoutStage returns the path below the stage. The default stage, and function URLs, have none in it.
func withoutStage(in awsevents.APIGatewayV2HTTPRequest) string {
	stage := in.RequestContext.Stage
	if stage == "" || stage == "$default" {
		return in.RawPath
	}
	if rest, ok := strings.CutPrefix(in.RawPath, "/"+stage); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return in.RawPath
}
