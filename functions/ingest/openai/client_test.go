package openai_test

import (
	"testing"

	client "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func hello(model string) client.ChatCompletionNewParams {
	return client.ChatCompletionNewParams{
		Model: model, Messages: []client.ChatCompletionMessageParamUnion{client.UserMessage("Hello there")},
	}
}

func weather() []client.ChatCompletionToolUnionParam {
	return []client.ChatCompletionToolUnionParam{client.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "weather", Parameters: shared.FunctionParameters{
			"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
		},
	})}
}

// TestAnUnmodifiedClientGetsTheModelsAnswers makes the same calls of the chain and of the bare server behind it.
func TestAnUnmodifiedClientGetsTheModelsAnswers(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	type raw interface{ RawJSON() string }
	calls := map[string]func(*testing.T, client.Client) raw{
		"a chat": func(t *testing.T, c client.Client) raw {
			r, err := c.Chat.Completions.New(t.Context(), hello("gpt-4o"))
			must(t, err)
			return r
		},
		"a chat with two choices, log probabilities and a bound": func(t *testing.T, c client.Client) raw {
			p := hello("gpt-4o")
			p.N, p.Logprobs, p.TopLogprobs, p.MaxCompletionTokens = client.Int(2), client.Bool(true), client.Int(2), client.Int(5)
			r, err := c.Chat.Completions.New(t.Context(), p)
			must(t, err)
			return r
		},
		"a call of a tool": func(t *testing.T, c client.Client) raw {
			p := hello("gpt-4o")
			p.Tools = weather()
			p.ToolChoice = client.ChatCompletionToolChoiceOptionUnionParam{OfAuto: client.String("required")}
			r, err := c.Chat.Completions.New(t.Context(), p)
			must(t, err)
			return r
		},
		"a chat in JSON": func(t *testing.T, c client.Client) raw {
			p := hello("gpt-4o")
			p.ResponseFormat = client.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}
			r, err := c.Chat.Completions.New(t.Context(), p)
			must(t, err)
			return r
		},
		"a chat about an image": func(t *testing.T, c client.Client) raw {
			r, err := c.Chat.Completions.New(t.Context(), client.ChatCompletionNewParams{
				Model: "gpt-4o", Messages: []client.ChatCompletionMessageParamUnion{client.UserMessage(
					[]client.ChatCompletionContentPartUnionParam{
						client.TextContentPart("what is it?"),
						client.ImageContentPart(client.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,iVBORw0KGgo="}),
					},
				)},
			})
			must(t, err)
			return r
		},
		"a text completion": func(t *testing.T, c client.Client) raw {
			r, err := c.Completions.New(t.Context(), client.CompletionNewParams{
				Model: "gpt-4o", Prompt: client.CompletionNewParamsPromptUnion{OfString: client.String("Once")}, MaxTokens: client.Int(6),
			})
			must(t, err)
			return r
		},
		"embeddings": func(t *testing.T, c client.Client) raw {
			r, err := c.Embeddings.New(t.Context(), client.EmbeddingNewParams{
				Model: "gpt-4o", Dimensions: client.Int(8),
				Input: client.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}},
			})
			must(t, err)
			return r
		},
		"a response": func(t *testing.T, c client.Client) raw {
			r, err := c.Responses.New(t.Context(), responses.ResponseNewParams{
				Model: "gpt-4o", Instructions: client.String("be short"), Metadata: shared.Metadata{"k": "v"},
				Input: responses.ResponseNewParamsInputUnion{OfString: client.String("Hello")},
			})
			must(t, err)
			return r
		},
		"a response that calls a function": func(t *testing.T, c client.Client) raw {
			r, err := c.Responses.New(t.Context(), responses.ResponseNewParams{
				Model: "gpt-4o", Input: responses.ResponseNewParamsInputUnion{OfString: client.String("Hello")},
				Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", map[string]any{"type": "object"}, true)},
				ToolChoice: responses.ResponseNewParamsToolChoiceUnion{
					OfToolChoiceMode: client.Opt(responses.ToolChoiceOptionsRequired),
				},
			})
			must(t, err)
			return r
		},
		"a response that is cut off": func(t *testing.T, c client.Client) raw {
			r, err := c.Responses.New(t.Context(), responses.ResponseNewParams{
				Model: "gpt-4o", MaxOutputTokens: client.Int(3),
				Input: responses.ResponseNewParamsInputUnion{OfString: client.String("Hello")},
			})
			must(t, err)
			return r
		},
		"a model": func(t *testing.T, c client.Client) raw {
			r, err := c.Models.Get(t.Context(), "gpt-4o")
			must(t, err)
			return r
		},
		"a model with a slash in its name": func(t *testing.T, c client.Client) raw {
			r, err := c.Models.Get(t.Context(), "org/model")
			must(t, err)
			return r
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a model with a slash in its name" {
				if got := call(t, w.client()).RawJSON(); neutral(t, got) != `{"created":0,"id":0,"object":"model","owned_by":"baton"}` {
					t.Errorf("answered %s", got)
				}
				return
			}
			same(t, call(t, w.client()).RawJSON(), call(t, w.bareClient()).RawJSON())
		})
	}
}

func TestAClientListsModels(t *testing.T) {
	t.Parallel()
	w := setup(t, true)
	c := w.client()
	page, err := c.Models.List(t.Context())
	must(t, err)
	if len(page.Data) != 6 || page.Data[0].ID == "" || page.Data[0].Object != "model" {
		t.Errorf("listed %+v", page.Data)
	}
}

// TestAnUnmodifiedClientGetsTheModelsStreams makes the same streamed calls of both.
func TestAnUnmodifiedClientGetsTheModelsStreams(t *testing.T) {
	t.Parallel()
	w := setup(t, false)
	tools := hello("gpt-4o")
	tools.Tools = weather()
	tools.ToolChoice = client.ChatCompletionToolChoiceOptionUnionParam{OfAuto: client.String("required")}
	usage := hello("gpt-4o")
	usage.StreamOptions.IncludeUsage = client.Bool(true)
	choices := hello("gpt-4o")
	choices.N, choices.Logprobs = client.Int(2), client.Bool(true)
	for name, params := range map[string]client.ChatCompletionNewParams{
		"a chat": hello("gpt-4o"), "a call of a tool": tools, "with usage": usage, "two choices": choices,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunks := func(c client.Client) (all []string) {
				s := c.Chat.Completions.NewStreaming(t.Context(), params)
				for s.Next() {
					all = append(all, s.Current().RawJSON())
				}
				must(t, s.Err())
				return all
			}
			sameEvents(t, chunks(w.client()), chunks(w.bareClient()))
		})
	}
	t.Run("a text completion", func(t *testing.T) {
		t.Parallel()
		chunks := func(c client.Client) (all []string) {
			s := c.Completions.NewStreaming(t.Context(), client.CompletionNewParams{
				Model: "gpt-4o", Prompt: client.CompletionNewParamsPromptUnion{OfString: client.String("Once")},
			})
			for s.Next() {
				all = append(all, s.Current().RawJSON())
			}
			must(t, s.Err())
			return all
		}
		sameEvents(t, chunks(w.client()), chunks(w.bareClient()))
	})
	for _, choice := range []responses.ToolChoiceOptions{responses.ToolChoiceOptionsNone, responses.ToolChoiceOptionsRequired} {
		t.Run("a response, tools "+string(choice), func(t *testing.T) {
			t.Parallel()
			told := func(c client.Client) (all []string) {
				s := c.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
					Model: "gpt-4o", Input: responses.ResponseNewParamsInputUnion{OfString: client.String("Hello")},
					Tools:      []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", map[string]any{"type": "object"}, true)},
					ToolChoice: responses.ResponseNewParamsToolChoiceUnion{OfToolChoiceMode: client.Opt(choice)},
				})
				for s.Next() {
					all = append(all, s.Current().RawJSON())
				}
				must(t, s.Err())
				return all
			}
			sameEvents(t, told(w.client()), told(w.bareClient()))
		})
	}
}

func sameEvents(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, the bare server has %d:\n%v\n%v", len(got), len(want), got, want)
	}
	for i := range got {
		same(t, got[i], want[i])
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
