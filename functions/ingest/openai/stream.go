package openai

import (
	"context"
	"sync"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/ingest"
	"baton.dev/baton/internal/openaiapi"
	"baton.dev/baton/internal/problem"
	"baton.dev/baton/internal/results"
	"baton.dev/baton/internal/tokens"
)

// narrator makes the events of a stream.
type narrator interface {
	Begin() []openaiapi.Event
	Take(p tokens.Piece) []openaiapi.Event
	End(res events.Result) []openaiapi.Event
	Break(e *openaiapi.Error) []openaiapi.Event
}

// stream takes the request in and answers with server-sent events. What goes wrong before the first piece is answered as for
// any other call; a stream of the background begins at once.
func (c *call) stream() {
	leave, p := c.server.OpenStream(&c.x.Caller)
	if p != nil {
		c.server.Discard(c.r.Context(), ingest.Body{Parts: c.sub.Parts, PartsID: c.sub.PartsID})
		c.refuse(p)
		return
	}
	defer leave()
	ctx, cancel := c.r.Context(), context.CancelFunc(func() {})
	if c.patience > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.patience)
	}
	defer cancel()
	c.follow(ctx, c.narrator(), c.submit, c.request.Background)
}

func (c *call) narrator() narrator {
	if c.request.Endpoint == openaiapi.Responses {
		return openaiapi.NewResponseEvents(c.request.Echo, c.messageID, c.request.Model, c.began, -1)
	}
	return openaiapi.NewChunks(c.request, c.messageID, c.began)
}

// follow tells of the request from its submission, which it waits with until no piece can be missed. A request that is refused
// has been answered.
func (c *call) follow(ctx context.Context, n narrator, submit func() bool, atOnce bool) {
	ctx, gone := context.WithCancel(ctx)
	defer gone()
	out := newEventWriter(c, n, gone)
	ready, accepted := make(chan struct{}), make(chan struct{})
	var standing results.Standing
	var err error
	var following sync.WaitGroup
	following.Go(func() {
		standing, err = c.server.Follow(ctx, c.messageID, tokens.ID{}, func() { close(ready) }, func(p tokens.Piece) {
			select {
			case <-accepted: // or it may be the piece of a request that this one is refused for
				out.take(p)
			case <-ctx.Done():
			}
		})
	})
	<-ready
	if !submit() {
		gone()
		following.Wait()
		return
	}
	if atOnce {
		out.begin()
	}
	close(accepted)
	following.Wait()
	defer out.close()
	switch {
	case err != nil && ctx.Err() == nil:
		out.fail(openaiapi.Refusal(problem.New(problem.Unavailable, "The results cannot be read now."), c.request))
	case err != nil || !standing.Terminal():
		c.unfinished(ctx, out.fail)
	default:
		out.end(standing)
	}
}
