package redisstate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// ErrAway is every error that says that the server could not be reached or cannot work, and not what it answered. The
// command may have been done all the same.
var ErrAway = errors.New("redis is away")

// away is such an error with its cause.
type away struct{ cause error }

func (e *away) Error() string   { return ErrAway.Error() + ": " + e.cause.Error() }
func (e *away) Unwrap() []error { return []error{ErrAway, e.cause} }

// interrupted is an error that the caller's own context brought about: nothing is learned of the server.
type interrupted struct{ error }

func (e *interrupted) Unwrap() error { return e.error }

// guard is a hook that keeps commands from a server that is away. It is safe for concurrent use.
type guard struct {
	breaker *gobreaker.CircuitBreaker[struct{}]
}

func newGuard() *guard {
	return &guard{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout: time.Second,
		// One or two may be connections that a restart of the server has left behind.
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
		IsSuccessful: func(err error) bool { return !errors.Is(err, ErrAway) },
		IsExcluded:   func(err error) bool { _, ok := errors.AsType[*interrupted](err); return ok },
	})}
}

// DialHook implements [redis.Hook].
func (g *guard) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook implements [redis.Hook].
func (g *guard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if isGuarded(ctx) {
			return next(ctx, cmd)
		}
		return g.ask(func() error { return judge(ctx, next(guarded(ctx), cmd)) })
	}
}

// ProcessPipelineHook implements [redis.Hook]. A pipeline is one command to the breaker, and as good as its worst.
func (g *guard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if isGuarded(ctx) {
			return next(ctx, cmds)
		}
		var first error
		sent := false
		worst := g.ask(func() error {
			sent, first = true, judge(ctx, next(guarded(ctx), cmds))
			worst := first
			for _, cmd := range cmds {
				err := judge(ctx, cmd.Err())
				cmd.SetErr(err)
				if errors.Is(err, ErrAway) {
					worst = err
				}
			}
			return worst
		})
		if !sent {
			for _, cmd := range cmds {
				cmd.SetErr(worst)
			}
			return worst
		}
		return first
	}
}

// ask sends the command unless the breaker is open, and shows it the error.
func (g *guard) ask(send func() error) error {
	_, err := g.breaker.Execute(func() (struct{}, error) { return struct{}{}, send() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return &away{err}
	}
	return err
}

// judge says what a command's error means: nothing, an answer of the server, the caller's own doing, or that it is away.
func judge(ctx context.Context, err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	if cause := ctx.Err(); cause != nil {
		if errors.Is(err, cause) {
			return &interrupted{err}
		}
		return &interrupted{fmt.Errorf("%w: %w", cause, err)}
	}
	// The deadline is the socket's too, which may be a moment before the context.
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return &interrupted{fmt.Errorf("%w: %w", context.DeadlineExceeded, err)}
	}
	return &away{err}
}

// isAnswer reports whether a server that works said so. One that loads its data, lost its master or its cluster, or takes
// no more connections does not work.
func isAnswer(err error) bool {
	if _, ok := errors.AsType[redis.Error](err); !ok {
		return false
	}
	return !redis.IsLoadingError(err) && !redis.IsReadOnlyError(err) && !redis.IsClusterDownError(err) &&
		!redis.IsMasterDownError(err) && !redis.IsMaxClientsError(err)
}

// guardedKey marks the context of a command that has passed the guard. A new connection greets the server with commands
// of its own, which pass the hook as well: they are part of the command that waits for them and no second question, which
// a breaker that lets one probe through would refuse.
type guardedKey struct{}

func guarded(ctx context.Context) context.Context { return context.WithValue(ctx, guardedKey{}, true) }

func isGuarded(ctx context.Context) bool { return ctx.Value(guardedKey{}) != nil }
