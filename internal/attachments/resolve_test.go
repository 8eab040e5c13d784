package attachments_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"baton.dev/baton/events"
	"baton.dev/baton/functions/schedule"
	"baton.dev/baton/internal/attachments"
	"baton.dev/baton/internal/catalog"
	"baton.dev/baton/internal/hop"
	"baton.dev/baton/internal/objects"
)

const requestID = "6f1c0a1e-8c3b-4d52-9a37-2f1f7c1f0b6e"

// spooled returns a requested event whose data is in the store.
func spooled(t *testing.T, store objects.Store) (events.Event, string) {
	t.Helper()
	data := `{"request_id":"` + requestID + `","model_id":"m","prompt":"` + strings.Repeat("x", 2000) + `","metadata":{"a":"b"}}`
	r := events.Request{RequestID: requestID, ModelID: "m"}
	e := events.New("search", r, events.Normal, []byte(data), time.Now(), time.Now().Add(time.Hour))
	e.Parts, e.PartsID = 1, "P"
	e, err := attachments.Spool(t.Context(), store, e, requestID, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if e.DataRef != "parts/P/1" || e.Parts != 2 || e.Data != nil || e.RequestID != requestID {
		t.Fatalf("spooled as %+v", e)
	}
	return e, data
}

func scheduler() hop.Handler {
	cat := &catalog.Catalog{
		Models: map[string]*catalog.Model{"m": {
			ID: "m", Strategy: catalog.Weighted, Attempts: 4, Targets: []*catalog.Target{{Name: "a", Model: "m", Weight: 1, Concurrency: 1}},
		}},
		Tenants: map[string]*catalog.Tenant{"search": {Name: "search", Models: []string{catalog.AnyModel}}},
	}
	return schedule.New(schedule.Config{Catalog: func() *catalog.Catalog { return cat }, Now: time.Now})
}

func TestAHandlerGetsWhatAnEventRefersTo(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	in, data := spooled(t, store)
	seen := ""
	handler := attachments.Resolve(store, func(ctx context.Context, in events.Event) ([]events.Event, error) {
		seen = string(in.Data)
		return scheduler()(ctx, in)
	})
	out, err := handler(t.Context(), in)
	if err != nil || seen != data || len(out) != 1 || out[0].Type != events.Scheduled || out[0].Data != nil ||
		out[0].DataRef != in.DataRef || out[0].DataDigest != in.DataDigest || out[0].Parts != 2 {
		t.Fatalf("it saw %.50s and emits %+v, %v", seen, out, err)
	}
	// A terminal event has its result, and refers to nothing.
	in.Expiry = time.Now().Add(-time.Second)
	out, err = handler(t.Context(), in)
	if err != nil || len(out) != 1 || out[0].Type != events.Failed || len(out[0].Data) == 0 || out[0].DataRef != "" ||
		!strings.Contains(string(out[0].Data), `"metadata":{"a":"b"}`) || out[0].Parts != 2 || out[0].PartsID != "P" {
		t.Fatalf("it emits %+v, %v", out, err)
	}
}

func TestARequestWhoseDataIsLostFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lose func(*testing.T, objects.Store, *events.Event)
		code string
	}{
		"missing": {func(t *testing.T, s objects.Store, e *events.Event) {
			if err := s.Delete(t.Context(), e.DataRef); err != nil {
				t.Fatal(err)
			}
		}, events.CodeDataMissing},
		"another": {func(t *testing.T, s objects.Store, e *events.Event) {
			put(t, s, objects.Info{Key: e.DataRef}, []byte(`{"model_id":"m","prompt":"other"}`))
		}, events.CodeDataAltered},
		"too large": {func(t *testing.T, s objects.Store, e *events.Event) {
			put(t, s, objects.Info{Key: e.DataRef}, make([]byte, attachments.MaxBody+1))
		}, events.CodeDataAltered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := objects.NewMemory(nil)
			in, _ := spooled(t, store)
			tc.lose(t, store, &in)
			handle := attachments.Resolve(store, scheduler())
			out, err := handle(t.Context(), in)
			wantFailed(t, in, out, err, tc.code)

			// Infer finds it, and schedule says it.
			scheduled := in.Next(events.Schedule, events.Scheduled, 1, time.Now())
			scheduled.Target = "a"
			never := func(context.Context, events.Event) ([]events.Event, error) {
				t.Error("infer was called")
				return nil, nil
			}
			out, err = attachments.Resolve(store, never)(t.Context(), scheduled)
			if err != nil || len(out) != 1 || out[0].Type != events.AttemptFailed || out[0].ErrorCode != tc.code ||
				out[0].Begun != 0 || out[0].ErrorMessage == "" || out[0].Data != nil || out[0].DataRef != in.DataRef {
				t.Fatalf("infer emits %+v, %v", out, err)
			}
			failed := out[0]
			out, err = handle(t.Context(), failed)
			wantFailed(t, failed, out, err, tc.code)

			if out, err := attachments.Resolve(store, never)(t.Context(), scheduled.AsShadow("b", time.Time{})); err != nil || out != nil {
				t.Errorf("of a shadow follows %+v, %v", out, err)
			}
		})
	}
}

func wantFailed(t *testing.T, in events.Event, out []events.Event, err error, code string) {
	t.Helper()
	if err != nil || len(out) != 1 {
		t.Fatalf("emits %+v, %v", out, err)
	}
	var result events.Result
	if err := json.Unmarshal(out[0].Data, &result); err != nil {
		t.Fatal(err)
	}
	e := out[0]
	if e.Type != events.Failed || e.CausationID != in.ID || e.DataRef != "" || e.ErrorCode != code || result.Error == nil ||
		result.Error.Code != code || result.RequestID != requestID || result.ModelID != "m" || result.Attempts != 0 {
		t.Errorf("emits %+v with %+v", e, result)
	}
}

func TestAStoreThatIsAwayCountsNoTry(t *testing.T) {
	t.Parallel()
	in, _ := spooled(t, objects.NewMemory(nil))
	_, err := attachments.Resolve(away{}, scheduler())(t.Context(), in)
	if got := (hop.Limits{}).Classify(in, err); got.Kind != hop.Return {
		t.Errorf("got %v: %v", got, err)
	}
}

func TestWhatARequestLeavesIsRemovedWhenItHasEnded(t *testing.T) {
	t.Parallel()
	store := objects.NewMemory(nil)
	in, _ := spooled(t, store)
	put(t, store, objects.Info{Key: "parts/P/0"}, nil)
	put(t, store, objects.Info{Key: "parts/Q/0"}, nil)
	ended := in.Next(events.Schedule, events.Failed, 0, time.Now())
	for name, e := range map[string]events.Event{"not ended": in, "a copy for a receiver": ended.For(1, "https://example.com")} {
		if err := attachments.Clean(t.Context(), store, e); err != nil || count(t, store) != 3 {
			t.Errorf("%s: %d objects are left, %v", name, count(t, store), err)
		}
	}
	for range 2 {
		if err := attachments.Clean(t.Context(), store, ended); err != nil || count(t, store) != 1 {
			t.Errorf("%d objects are left, %v", count(t, store), err)
		}
	}
	if err := attachments.Clean(t.Context(), away{}, ended); err == nil {
		t.Error("nothing is said of a store that is away")
	}
}
