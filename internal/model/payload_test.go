package model_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/model"
)

const attached = `[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,` // and so on

// attachment returns what puts an attachment of so many bytes into the messages, and their total size.
func attachment(bytesOf int64, open func(io.Reader) io.Reader) func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
	const end = `"}}]}]`
	return func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
		return model.Body{
			Size: int64(len(attached)) + bytesOf + int64(len(end)),
			Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(
					bytes.NewReader([]byte(attached)), open(io.LimitReader(letters{}, bytesOf)), bytes.NewReader([]byte(end)))), nil
			},
		}, nil
	}
}

// letters is an endless text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

func asItIs(r io.Reader) io.Reader { return r }

func TestOpenAISendsAttachments(t *testing.T) {
	t.Parallel()
	t.Run("whole, with their size said before", func(t *testing.T) {
		t.Parallel()
		const size = 8 << 20
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			said := r.ContentLength
			body, err := io.ReadAll(r.Body)
			if err != nil || said != int64(len(body)) || len(r.TransferEncoding) > 0 {
				t.Errorf("said %d bytes and sent %d, %v", said, len(body), err)
			}
			var got struct {
				Model    string
				Messages []struct {
					Content []struct {
						Image struct{ URL string } `json:"image_url"`
					}
				}
				Temperature float64
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Error(err)
			} else if n := len(got.Messages[0].Content[0].Image.URL); got.Model != "real" || got.Temperature != 1 || n != size+22 {
				t.Errorf("the image is of %d bytes, and the rest %s %g", n, got.Model, got.Temperature)
			}
			_, _ = io.WriteString(w, completion)
		})
		call.Request.Parameters = map[string]json.RawMessage{"temperature": []byte("1")}
		call.Expand = attachment(size, asItIs)
		if _, err := client.Call(t.Context(), call); err != nil {
			t.Error(err)
		}
	})
	t.Run("with the messages that refer to them, and only those of a chat", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/chat/completions" {
				_, _ = io.WriteString(w, completion)
				return
			}
			_, _ = io.WriteString(w, `{"data":[{"embedding":[1]}]}`)
		})
		var given []string
		expand := attachment(1, asItIs)
		call.Expand = func(ctx context.Context, target *catalog.Target, messages json.RawMessage) (model.Body, error) {
			given = append(given, target.Name+string(messages))
			return expand(ctx, target, messages)
		}
		call.Request = events.Request{Messages: []byte(`[{"role":"user","content":"x"}]`)}
		if _, err := client.Call(t.Context(), call); err != nil {
			t.Error(err)
		}
		call.Request = events.Request{Operation: events.Embeddings, Input: []byte(`"x"`)}
		if _, err := client.Call(t.Context(), call); err != nil {
			t.Error(err)
		}
		if len(given) != 1 || given[0] != `main[{"role":"user","content":"x"}]` {
			t.Errorf("given %q", given)
		}
	})
	t.Run("signed by a sum over all of them", func(t *testing.T) {
		t.Parallel()
		var sum string
		_, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
			h := sha256.New()
			_, _ = io.Copy(h, r.Body)
			if got := hex.EncodeToString(h.Sum(nil)); got != r.Header.Get("X-Sum") || got != sum {
				t.Errorf("the body sums to %s, and %s was said", got, sum)
			}
			_, _ = io.WriteString(w, completion)
		})
		client := model.NewOpenAI(model.OpenAIConfig{Credentials: authorizer(func(req *http.Request, s func() (string, error)) (err error) {
			sum, err = s()
			req.Header.Set("X-Sum", sum)
			return err
		})})
		defer client.Close()
		for _, expand := range []func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error){nil, attachment(1<<20, asItIs)} {
			call.Expand = expand
			if _, err := client.Call(t.Context(), call); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOpenAINeverSendsAWholeRequestOfWhichAPartIsNotRight(t *testing.T) {
	t.Parallel()
	const size = 2 << 20
	altered := model.NewError(events.CodeDataAltered, errors.New("its digest is another"))
	missing := model.NewError(events.CodeDataMissing, errors.New("no such object"))
	away := errors.New("the store of objects is away")
	// afterAll says what is wrong in the place of the end, as one does that sums what it reads.
	afterAll := func(err error) func(io.Reader) io.Reader {
		return func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(err)) }
	}
	for name, tc := range map[string]struct {
		expand func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error)
		code   string // "" is an error that says nothing about the call
	}{
		"that is altered":           {attachment(size, afterAll(altered)), events.CodeDataAltered},
		"that is small and altered": {attachment(1, afterAll(altered)), events.CodeDataAltered},
		"that breaks off": {attachment(size, func(r io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(r, size/2), iotest.ErrReader(missing))
		}), events.CodeDataMissing},
		"that is too short": {attachment(size, func(r io.Reader) io.Reader { return io.LimitReader(r, size-1) }), events.CodeDataAltered},
		"that is too long":  {attachment(size, func(r io.Reader) io.Reader { return io.MultiReader(r, io.LimitReader(letters{}, 9)) }), events.CodeDataAltered},
		"that is not there": {func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
			return model.Body{}, missing
		}, events.CodeDataMissing},
		"that cannot be opened": {func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
			return model.Body{Size: 9, Open: func(context.Context) (io.ReadCloser, error) { return nil, missing }}, nil
		}, events.CodeDataMissing},
		"that cannot be read for now":  {attachment(size, afterAll(away)), ""},
		"that cannot be found for now": {func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) { return model.Body{}, away }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var whole atomic.Bool
			client, call := setup(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err == nil || json.Valid(body) {
					whole.Store(true)
				}
				_, _ = io.WriteString(w, completion)
			})
			call.Expand = tc.expand
			_, err := client.Call(t.Context(), call)
			if tc.code != "" {
				wantCode(t, err, tc.code)
			} else if _, ok := errors.AsType[*model.Error](err); ok || !errors.Is(err, away) {
				t.Errorf("got %v", err)
			}
			if whole.Load() {
				t.Error("the server got a whole request")
			}
		})
	}
	t.Run("nor signs one", func(t *testing.T) {
		t.Parallel()
		_, call := setup(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was called") })
		client := model.NewOpenAI(model.OpenAIConfig{Credentials: authorizer(func(_ *http.Request, s func() (string, error)) error {
			_, err := s()
			return err
		})})
		call.Expand = attachment(size, afterAll(altered))
		_, err := client.Call(t.Context(), call)
		wantCode(t, err, events.CodeDataAltered)
	})
	t.Run("and is not held up by one that cannot be read", func(t *testing.T) {
		t.Parallel()
		client, call := setup(t, hang)
		call.Target.Timeout = 50 * time.Millisecond
		stuck := &stuck{done: make(chan struct{})}
		call.Expand = func(context.Context, *catalog.Target, json.RawMessage) (model.Body, error) {
			return model.Body{Size: 9, Open: func(ctx context.Context) (io.ReadCloser, error) {
				context.AfterFunc(ctx, sync.OnceFunc(func() { close(stuck.done) }))
				return stuck, nil
			}}, nil
		}
		_, err := client.Call(t.Context(), call)
		wantCode(t, err, events.CodeTimeout)
	})
}

// stuck is content that does not come before its context is done.
type stuck struct{ done chan struct{} }

func (s *stuck) Read([]byte) (int, error) {
	<-s.done
	return 0, context.DeadlineExceeded
}

func (s *stuck) Close() error { return nil }
