package results

import (
	"context"
	"errors"
	"time"
)

// forgotten is the fact that whoever sent the request wants no more of it.
type forgotten struct{}

// Forget writes that the request is forgotten. To forget again is no error.
func (s *Store) Forget(ctx context.Context, messageID string, accepted time.Time) error {
	_, err := s.create(ctx, messageID+".forgotten", forgotten{}, nil, accepted)
	return err
}

// Forgotten reports whether the request is forgotten.
func (s *Store) Forgotten(ctx context.Context, messageID string) (bool, error) {
	var f forgotten
	switch err := s.get(ctx, messageID+".forgotten", &f); {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNotFound):
		return false, nil
	default:
		return false, err
	}
}
