package natsbus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// EnsureStream makes the stream, or brings the one that is there to the configuration. One that is as it should be is left
// alone: every process that starts asks, and the server is not to be bothered under load. Of two processes that make it
// at once, the second finds it made.
func EnsureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, want)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return wrapStream(want.Name, err)
		}
		s, err = js.Stream(ctx, want.Name)
	}
	if err != nil {
		return wrapStream(want.Name, err)
	}
	if is := s.CachedInfo().Config; !sameStream(is, want) {
		_, err = js.UpdateStream(ctx, merge(is, want))
	}
	return wrapStream(want.Name, err)
}

// sameStream reports whether a stream is as it should be, in what this package sets.
func sameStream(is, want jetstream.StreamConfig) bool {
	return slices.Equal(is.Subjects, want.Subjects) && is.Retention == want.Retention && is.Storage == want.Storage &&
		is.Replicas == want.Replicas && is.Duplicates == want.Duplicates && is.MaxAge == want.MaxAge &&
		is.AllowMsgSchedules == want.AllowMsgSchedules && is.AllowAtomicPublish == want.AllowAtomicPublish &&
		is.AllowDirect == want.AllowDirect
}

// merge returns the configuration of a stream that is there, with what this package sets, and what an operator set beside
// it, such as placement or limits, as it is.
func merge(is, want jetstream.StreamConfig) jetstream.StreamConfig {
	is.Subjects, is.Retention, is.Storage, is.Replicas = want.Subjects, want.Retention, want.Storage, want.Replicas
	is.Duplicates, is.MaxAge, is.AllowDirect = want.Duplicates, want.MaxAge, want.AllowDirect
	is.AllowMsgSchedules, is.AllowAtomicPublish = want.AllowMsgSchedules, want.AllowAtomicPublish
	return is
}

func wrapStream(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stream %s: %w", name, err)
}
