package openai

import (
	"time"

	"baton.dev/baton/functions/ingest"
)

// MountAwake is Mount with streams that are silent no longer than told.
func MountAwake(s *ingest.Server, idle time.Duration) {
	f := newFront(s)
	f.idle = idle
	f.mount()
}
