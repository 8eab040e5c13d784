package batches

import (
	"strings"
	"testing"

	"baton.dev/baton/internal/objects"
)

func TestARecordThatCouldNotBeReadAgainIsNotWritten(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	s := New(Config{Objects: store})
	for name, tc := range map[string]struct {
		length int
		ok     bool
	}{"as long as may be": {200 << 10, true}, "longer": {256 << 10, false}} {
		r := &record{Tenant: "a", Batch: Batch{ID: "batch_0", InputFileID: strings.Repeat("x", tc.length)}}
		if err := s.write(t.Context(), r); (err == nil) != tc.ok {
			t.Errorf("%s: written: %v", name, err)
		}
		if _, err := s.read(t.Context(), "a", "batch_0"); err != nil && tc.ok {
			t.Errorf("%s: read: %v", name, err)
		}
		if err := store.Delete(t.Context(), recordKey("a", "batch_0")); err != nil {
			t.Fatal(err)
		}
	}
}
