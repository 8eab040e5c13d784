package problem_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"baton.dev/baton/internal/problem"
)

func TestEveryWordHasAStatusAndATitleOfItsOwn(t *testing.T) {
	t.Parallel()
	words := []problem.Word{
		problem.Malformed, problem.Unauthenticated, problem.Forbidden, problem.NotFound, problem.MethodNotAllowed,
		problem.Timeout, problem.TooLarge, problem.UnsupportedMediaType, problem.Invalid, problem.IDReused,
		problem.RateLimited, problem.QueueFull, problem.BudgetSpent, problem.Internal, problem.Unavailable,
		problem.WouldMissDeadline, problem.NotAcceptable, problem.TooManyStreams,
	}
	titles := map[string]problem.Word{}
	for _, w := range words {
		p := problem.New(w, "")
		if p.Type != problem.TypePrefix+string(w) {
			t.Errorf("%s: type %q: the word is not in the table", w, p.Type)
		}
		if p.Status < 400 || p.Status > 599 {
			t.Errorf("%s: status %d", w, p.Status)
		}
		if other, taken := titles[p.Title]; taken {
			t.Errorf("%s and %s share the title %q", w, other, p.Title)
		}
		titles[p.Title] = w
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	problem.New(problem.Unavailable, "try <later>", problem.FieldError{Pointer: "/a~1b", Detail: "must be a string"}).
		With("Retry-After", "2").Write(rec)
	if rec.Code != 503 || rec.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("answered %d with type %q", rec.Code, rec.Header().Get("Content-Type"))
	}
	if got := rec.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q", got)
	}
	if !strings.Contains(rec.Body.String(), "try <later>") {
		t.Errorf("detail is escaped: %s", rec.Body)
	}
	var got problem.Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status != 503 || len(got.Errors) != 1 || got.Errors[0].Pointer != "/a~1b" {
		t.Errorf("read back %+v", got)
	}
}

func TestAnUnknownWordIsOurFault(t *testing.T) {
	t.Parallel()
	if p := problem.New("no such word", "x"); p.Status != 500 {
		t.Errorf("status %d", p.Status)
	}
}

func ExampleProblem_Write() {
	rec := httptest.NewRecorder()
	problem.New(problem.Invalid, "One field is not valid.",
		problem.FieldError{Pointer: "/model_id", Detail: "is required"}).Write(rec)
	_, _ = rec.Body.WriteTo(os.Stdout)
	// Output:
	// {"type":"https://baton.dev/problems/invalid","title":"The request is not valid","status":422,"detail":"One field is not valid.","errors":[{"pointer":"/model_id","detail":"is required"}]}
}
