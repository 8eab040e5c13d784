package awslambda

import (
	"encoding/base64"

	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"

	"baton.dev/baton/internal/problem"
)

// Lambda takes 6 MB of a request, and 6 MB of an answer (6,291,556 bytes), each with all that is around its body. What is
// larger of a request never comes here: API Gateway answers 413. Of an answer it would be an error of the invocation, so
// it is told here.
const (
	// maxPlain is how large a body is passed on as text. As JSON it is up to six times as large, if it is all of characters
	// that must be escaped.
	maxPlain = 1 << 20
	// maxBody is how large a body may be: in base64 it is a third larger, and there is room for headers.
	maxBody = 4 << 20
)

// fitted returns the answer as one that Lambda takes.
func fitted(out awsevents.APIGatewayV2HTTPResponse) (awsevents.APIGatewayV2HTTPResponse, error) {
	size := len(out.Body)
	if out.IsBase64Encoded {
		size = base64.StdEncoding.DecodedLen(size)
	}
	switch {
	case size > maxBody+3: // of which the padding may be 2
		w := core.NewProxyResponseWriterV2()
		problem.New(problem.Internal, "The answer is larger than can be sent here.").Write(w)
		return w.GetProxyResponse()
	case size > maxPlain && !out.IsBase64Encoded:
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(out.Body)), true
	}
	return out, nil
}
