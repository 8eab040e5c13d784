package answers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/answers"
	"baton.dev/baton/internal/catalog"
)

func Example() {
	model := &catalog.Model{ID: "small", Targets: []*catalog.Target{{API: catalog.OpenAI, Model: "s1", URL: "https://models.example"}}}
	key := func(body string) string {
		var r events.Request
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			fmt.Println(err)
		}
		return answers.Key("search", model, answers.Stable, r)
	}
	first := key(`{"model_id":"small","prompt":"6 times 7?","parameters":{"temperature":0,"max_tokens":8}}`)
	second := key(`{"model_id":"small","messages":[{"content":"6 times 7?","role":"user"}],"parameters":{"max_tokens":8.0,"temperature":0}}`)
	fmt.Println("equal:", first == second)

	ctx := context.Background()
	a := answers.New(answers.Config{Store: answers.NewMemory()})
	fmt.Println("m1 leads:", a.Lead(ctx, first, "m1", time.Minute))
	fmt.Println("m2 leads:", a.Lead(ctx, second, "m2", time.Minute))

	a.Put(ctx, first, answers.Answer{Output: "42"}, 10*time.Minute)
	a.Land(ctx, first, "m1")
	got, ok := a.Get(ctx, second)
	fmt.Println("m2 finds:", got.Output, ok)
	// Output:
	// equal: true
	// m1 leads: true
	// m2 leads: false
	// m2 finds: 42 true
}
