package model_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
	"baton.dev/baton/internal/model/simulated"
)

// One call of a target that answers, and one of a target that is out.
func ExampleOpenAI_Call() {
	good := httptest.NewServer(simulated.New(catalog.Simulate{Tokens: 4, Seed: 7}))
	defer good.Close()
	bad := httptest.NewServer(simulated.New(catalog.Simulate{ErrorRate: 1}))
	defer bad.Close()

	client := model.NewOpenAI(model.OpenAIConfig{})
	defer client.Close()
	prompt := "What carries a request?"
	for _, t := range []*catalog.Target{
		{Name: "good", URL: good.URL + "/v1", Model: "any", Timeout: time.Minute},
		{Name: "bad", URL: bad.URL + "/v1", Model: "any", Timeout: time.Minute},
	} {
		answer, err := client.Call(context.Background(), model.Call{Target: t, Request: events.Request{Prompt: &prompt}})
		fmt.Printf("%q %v\n", answer.Output, err)
	}
	// Output:
	// "of river rests that" <nil>
	// "" model: call bad: unavailable (status 503)
}
