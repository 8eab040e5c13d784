package natsbus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// EnsureStream makes the stream, or checks that the one that is there will do. What it finds it leaves as it is, but for
// features that the chain needs and the stream lacks, and for copies that the caller asks for by number: limits, placement,
// or the replicas that an operator or another process has set are not this process's to change. Of two processes that make
// it at once, the second finds it made.
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
	is := s.CachedInfo().Config
	if is.Retention != want.Retention {
		return fmt.Errorf("stream %s is there with %s retention, and %s is needed", want.Name, is.Retention, want.Retention)
	}
	better := improved(is, want)
	if reflect.DeepEqual(better, is) {
		return nil // every process that starts asks, and the server is not to be bothered under load
	}
	_, err = js.UpdateStream(ctx, better)
	return wrapStream(want.Name, err)
}

// improved returns the configuration of a stream that is there with what is needed and lacking.
func improved(is, want jetstream.StreamConfig) jetstream.StreamConfig {
	is.Subjects = slices.Clone(is.Subjects)
	for _, s := range want.Subjects {
		if !slices.Contains(is.Subjects, s) {
			is.Subjects = append(is.Subjects, s)
		}
	}
	if want.Replicas != 0 {
		is.Replicas = want.Replicas
	}
	is.AllowDirect = is.AllowDirect || want.AllowDirect
	is.AllowMsgTTL = is.AllowMsgTTL || want.AllowMsgTTL
	is.AllowMsgSchedules = is.AllowMsgSchedules || want.AllowMsgSchedules
	is.AllowAtomicPublish = is.AllowAtomicPublish || want.AllowAtomicPublish
	return is
}

func wrapStream(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stream %s: %w", name, err)
}
