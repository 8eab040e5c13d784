package openaitest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
)

// pollEvery is how often a client looks whether something has ended.
const pollEvery = 20 * time.Millisecond

// Go makes the calls with the official client for Go of the server at the base URL, which ends in /v1, and returns what each
// came to. A call that fails otherwise than a server can make it ends the test.
func Go(t testing.TB, baseURL, key string) []Transcript {
	t.Helper()
	var all []Transcript
	for _, c := range list(t) {
		var body any
		if c.Body != nil {
			if err := json.Unmarshal(c.Body, &body); err != nil {
				t.Fatal(err)
			}
			c.Body = marshal(t, expand(t, body))
		}
		all = append(all, Transcript{c.Name, canonical(t, goCall(t, baseURL, key, c))})
	}
	return all
}

func goCall(t testing.TB, baseURL, key string, c call) []byte {
	t.Helper()
	if c.Key != "" {
		key = c.Key
	}
	ctx := t.Context()
	options := []option.RequestOption{option.WithBaseURL(baseURL), option.WithAPIKey(key)}
	if c.TimeoutMS > 0 {
		options = append(options, option.WithRequestTimeout(time.Duration(c.TimeoutMS)*time.Millisecond), option.WithMaxRetries(0))
	}
	if c.AbortMS > 0 {
		var abort context.CancelFunc
		ctx, abort = context.WithCancel(ctx)
		defer time.AfterFunc(time.Duration(c.AbortMS)*time.Millisecond, abort).Stop()
	}
	client := goClient{ctx, openai.NewClient(options...)}
	do, ok := doing[c.Do]
	if !ok {
		t.Fatalf("%s: nobody knows how to do %s", c.Name, c.Do)
	}
	value, err := do(client, c)
	if err == nil {
		return marshal(t, outcome{Value: value})
	}
	failed, ok := errors.AsType[*openai.Error](err)
	switch {
	case ok:
		return marshal(t, outcome{Error: map[string]any{
			"status": failed.StatusCode, "type": failed.Type, "param": failed.Param, "code": failed.Code, "message": failed.Message,
		}})
	case errors.Is(err, context.DeadlineExceeded) && c.TimeoutMS > 0:
		return marshal(t, outcome{Error: "timeout"})
	case errors.Is(err, context.Canceled) && c.AbortMS > 0:
		return marshal(t, outcome{Error: "aborted"})
	}
	t.Fatalf("%s: %v", c.Name, err)
	return nil
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goClient is the official client, and the context of a call.
type goClient struct {
	ctx context.Context //nolint:containedctx // of one call
	openai.Client
}

// raw is what the client decoded, in the words of the server.
type raw interface{ RawJSON() string }

func rawJSON[T raw](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return json.RawMessage(v.RawJSON()), nil
}

// collect reads a stream to its end.
func collect[T raw](stream *ssestream.Stream[T]) (any, error) {
	var chunks []json.RawMessage
	for stream.Next() {
		chunks = append(chunks, json.RawMessage(stream.Current().RawJSON()))
	}
	return map[string]any{"chunks": chunks}, stream.Err()
}

func chat(c call) openai.ChatCompletionNewParams {
	return param.Override[openai.ChatCompletionNewParams](c.Body)
}

func completion(c call) openai.CompletionNewParams {
	return param.Override[openai.CompletionNewParams](c.Body)
}

func response(c call) responses.ResponseNewParams {
	return param.Override[responses.ResponseNewParams](c.Body)
}

// doing is how each thing of the list is done.
var doing = map[string]func(goClient, call) (any, error){
	"chat": func(g goClient, c call) (any, error) { return rawJSON(g.Chat.Completions.New(g.ctx, chat(c))) },
	"chat.stream": func(g goClient, c call) (any, error) {
		return collect(g.Chat.Completions.NewStreaming(g.ctx, chat(c)))
	},
	"chat.abandon": abandon,
	"completions":  func(g goClient, c call) (any, error) { return rawJSON(g.Completions.New(g.ctx, completion(c))) },
	"completions.stream": func(g goClient, c call) (any, error) {
		return collect(g.Completions.NewStreaming(g.ctx, completion(c)))
	},
	"embeddings": func(g goClient, c call) (any, error) {
		return rawJSON(g.Embeddings.New(g.ctx, param.Override[openai.EmbeddingNewParams](c.Body)))
	},
	"responses": func(g goClient, c call) (any, error) { return rawJSON(g.Responses.New(g.ctx, response(c))) },
	"responses.stream": func(g goClient, c call) (any, error) {
		return collect(g.Responses.NewStreaming(g.ctx, response(c)))
	},
	"responses.background": func(g goClient, c call) (any, error) { return g.background(c, nil) },
	// The second of two: a server may have begun the first, and be past canceling it.
	"responses.cancel": func(g goClient, c call) (any, error) {
		if _, err := g.Responses.New(g.ctx, response(c)); err != nil {
			return nil, err
		}
		return g.background(c, func(id string) error {
			_, err := g.Responses.Cancel(g.ctx, id)
			return err
		})
	},
	"responses.retrieve": func(g goClient, c call) (any, error) {
		made, err := g.Responses.New(g.ctx, response(c))
		if err != nil {
			return nil, err
		}
		return rawJSON(g.Responses.Get(g.ctx, made.ID, responses.ResponseGetParams{}))
	},
	"responses.unknown": func(g goClient, c call) (any, error) {
		return rawJSON(g.Responses.Get(g.ctx, c.ID, responses.ResponseGetParams{}))
	},
	"models":     models,
	"models.one": func(g goClient, c call) (any, error) { return rawJSON(g.Models.Get(g.ctx, c.ID)) },
	"files":      oneFile,
	"files.unknown": func(g goClient, c call) (any, error) {
		return rawJSON(g.Files.Get(g.ctx, c.ID))
	},
	"batches": oneBatch,
	"batches.unknown": func(g goClient, c call) (any, error) {
		return rawJSON(g.Batches.New(g.ctx, openai.BatchNewParams{
			InputFileID: c.ID, Endpoint: openai.BatchNewParamsEndpointV1ChatCompletions,
			CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
		}))
	},
}

func abandon(g goClient, c call) (any, error) {
	stream := g.Chat.Completions.NewStreaming(g.ctx, chat(c))
	taken := 0
	for taken < 3 && stream.Next() {
		if len(stream.Current().Choices) > 0 {
			taken++
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return map[string]any{"taken": taken}, stream.Close()
}

// background makes a response of the background, does something with it, and waits until it has ended.
func (g goClient) background(c call, then func(id string) error) (any, error) {
	made, err := g.Responses.New(g.ctx, response(c))
	if err == nil && then != nil {
		err = then(made.ID)
	}
	if err != nil {
		return nil, err
	}
	ended := []responses.ResponseStatus{"completed", "failed", "incomplete", "cancelled"}
	for {
		r, err := g.Responses.Get(g.ctx, made.ID, responses.ResponseGetParams{})
		if err != nil || slices.Contains(ended, r.Status) {
			return rawJSON(r, err)
		}
		if err := g.pause(); err != nil {
			return nil, err
		}
	}
}

// pause waits until it is time to look again.
func (g goClient) pause() error {
	select {
	case <-time.After(pollEvery):
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}

func models(g goClient, _ call) (any, error) {
	var all []openai.Model
	for pager := g.Models.ListAutoPaging(g.ctx); ; {
		if !pager.Next() {
			slices.SortFunc(all, func(a, b openai.Model) int { return strings.Compare(a.ID, b.ID) })
			written := []json.RawMessage{}
			for _, m := range all {
				written = append(written, json.RawMessage(m.RawJSON()))
			}
			return written, pager.Err()
		}
		all = append(all, pager.Current())
	}
}

func (g goClient) upload(name, purpose, text string) (*openai.FileObject, error) {
	return g.Files.New(g.ctx, openai.FileNewParams{
		File: openai.File(strings.NewReader(text), name, "text/plain"), Purpose: openai.FilePurpose(purpose),
	})
}

func (g goClient) download(id string) ([]byte, error) {
	resp, err := g.Files.Content(g.ctx, id)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

func oneFile(g goClient, c call) (any, error) {
	created, err := g.upload("call.txt", c.Purpose, c.Text)
	if err != nil {
		return nil, err
	}
	retrieved, err := g.Files.Get(g.ctx, created.ID)
	if err != nil {
		return nil, err
	}
	content, err := g.download(created.ID)
	if err != nil {
		return nil, err
	}
	listed := false
	pager := g.Files.ListAutoPaging(g.ctx, openai.FileListParams{})
	for pager.Next() {
		listed = listed || pager.Current().ID == created.ID
	}
	if err := pager.Err(); err != nil {
		return nil, err
	}
	deleted, err := g.Files.Delete(g.ctx, created.ID)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"created": json.RawMessage(created.RawJSON()), "retrieved": json.RawMessage(retrieved.RawJSON()),
		"content": string(content), "listed": listed, "deleted": json.RawMessage(deleted.RawJSON()),
	}, nil
}

func oneBatch(g goClient, c call) (any, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for i, body := range c.Lines {
		line := map[string]any{"custom_id": fmt.Sprintf("line-%d", i), "method": "POST", "url": c.Endpoint, "body": body}
		if err := enc.Encode(line); err != nil {
			return nil, err
		}
	}
	file, err := g.upload("batch.jsonl", "batch", text.String())
	if err != nil {
		return nil, err
	}
	b, err := g.Batches.New(g.ctx, openai.BatchNewParams{
		InputFileID: file.ID, Endpoint: openai.BatchNewParamsEndpoint(c.Endpoint),
		CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	if err != nil {
		return nil, err
	}
	ended := []openai.BatchStatus{"completed", "failed", "expired", "cancelled"}
	for id := b.ID; !slices.Contains(ended, b.Status); {
		if err := g.pause(); err != nil {
			return nil, err
		}
		if b, err = g.Batches.Get(g.ctx, id); err != nil {
			return nil, err
		}
	}
	output, err := g.lines(b.OutputFileID)
	if err != nil {
		return nil, err
	}
	failed, err := g.lines(b.ErrorFileID)
	return map[string]any{"batch": json.RawMessage(b.RawJSON()), "output": output, "errors": failed}, err
}

// lines returns the lines of a batch's output, sorted.
func (g goClient) lines(id string) ([]map[string]any, error) {
	all := []map[string]any{}
	if id == "" {
		return all, nil
	}
	text, err := g.download(id)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b map[string]any) int {
		return strings.Compare(a["custom_id"].(string), b["custom_id"].(string))
	})
	return all, nil
}
