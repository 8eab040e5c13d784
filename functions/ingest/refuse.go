package ingest

import (
	"encoding/json"
	"strings"

	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
)

// refuseBoth answers with a problem that OpenAI's clients can read too: as an extension member (RFC 9457, section 3.2) it has
// the error object that they look for. It is for paths that they use and that are no part of OpenAI's interface alone.
func refuseBoth(x *Exchange, p *problem.Problem) {
	said := *p
	said.Error = json.RawMessage(openaiapi.Refusal(p, nil).Object())
	said.Write(x)
}

// nothing answers for a path that is no route's.
func nothing(x *Exchange, path string) {
	p := problem.New(problem.NotFound, "There is nothing at this path; see /openapi.json.")
	if strings.HasPrefix(path, "/v1/") {
		refuseBoth(x, p)
		return
	}
	p.Write(x)
}
