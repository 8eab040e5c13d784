package health

import (
	"math/rand/v2"
	"testing"
	"time"

	"baton.dev/baton/events"
)

// rollout is processes whose target canary is one beside the target stable.
type rollout struct {
	*cluster

	fingerprint string // of the configuration that processes have from their next sync on
	random      *rand.Rand
}

func newRollout(t *testing.T) *rollout {
	r := &rollout{cluster: newCluster(t), fingerprint: "first", random: rand.New(rand.NewPCG(3, 3))}
	r.config.Targets = func() []string { return []string{"stable", "canary"} }
	r.config.Canary = func(target string) (string, []string) {
		if target == "canary" {
			return r.fingerprint, []string{"stable"}
		}
		return "", nil
	}
	return r
}

// request is one that is for the canary, after as many for the stable target. It reports whether the canary was called.
func (r *rollout) request(b *Board, canary arm, between int) bool {
	for range between {
		b.Report(arm{errors: 0.01, p50: 120 * time.Millisecond, sigma: 0.5}.attempt(r.random, "stable", r.clock()))
	}
	r.pass(10 * time.Millisecond)
	probe, ok := b.Admit(r.Context(), "canary")
	if ok {
		o := canary.attempt(r.random, "canary", r.clock())
		o.Probe = probe
		b.Report(o)
	}
	return ok
}

func (r *rollout) out(b *Board) bool { return b.Status("canary").RolledBack }

func TestACanaryThatFails(t *testing.T) {
	t.Parallel()
	bad := arm{errors: 1}
	t.Run("is out everywhere, for good, and it is logged once with the figures", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one, two := r.process(), r.process()
		for range 20 {
			r.request(one, bad, 19)
		}
		if !r.out(one) {
			t.Fatal("it is in, in the sight of the process that saw it")
		}
		r.sync(one, two, one)
		if !r.out(two) {
			t.Error("it is in elsewhere")
		}
		r.logged("canary is rolled back", 1)
		r.logged(`reason="5 of its last 5 attempts failed (100.0 %)`, 1)
		r.logged("attempts=5 failures=5 stable_attempts=95", 1)
		for range 3 * 24 {
			r.pass(time.Hour)
			r.sync(one)
			if probe, ok := one.Admit(t.Context(), "canary"); probe || ok {
				t.Fatalf("it is admitted: %t, %t", probe, ok)
			}
		}
		r.sync(two)
		late := r.process()
		r.sync(late)
		if !r.out(two) || !r.out(late) {
			t.Error("it is in after three days")
		}
		if got := late.Status("stable"); got.RolledBack || got.State != Closed {
			t.Errorf("the stable target: %+v", got)
		}
	})
	t.Run("is out when its breaker opens, however long it was good", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one, two := r.process(), r.process()
		for range 1000 {
			r.request(one, arm{p50: 120 * time.Millisecond}, 19)
		}
		r.sync(one, two)
		for n := range 5 {
			if r.out(one) {
				t.Fatalf("it is out after %d failures", n)
			}
			for range 19 {
				one.Report(Outcome{Target: "stable", At: r.clock(), Latency: 120 * time.Millisecond})
			}
			one.Report(Outcome{Target: "canary", Code: events.CodeTimeout})
		}
		r.sync(one, two)
		if !r.out(one) || !r.out(two) {
			t.Error("it is in")
		}
		r.logged("canary is rolled back", 1)
		r.logged("breaker opened", 1)
	})
	t.Run("is out after a holiday for which nothing ran that knows of it", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one := r.process()
		for range 20 {
			r.request(one, bad, 19)
		}
		r.sync(one)
		r.pass(29 * 24 * time.Hour)
		late := r.process()
		r.sync(late)
		if !r.out(late) {
			t.Error("it is in")
		}
	})
	t.Run("is out within 50 of its requests, though four processes have seen nothing of each other", func(t *testing.T) {
		t.Parallel()
		for name, canary := range map[string]arm{"all": bad, "half": {errors: 0.5, p50: 120 * time.Millisecond, sigma: 0.5}} {
			most, sum := 0, 0
			const rollouts = 50
			for seed := range uint64(rollouts) {
				r := newRollout(t)
				r.random = rand.New(rand.NewPCG(seed, 3))
				boards := []*Board{r.process(), r.process(), r.process(), r.process()}
				called := 0
				for n := 0; !r.out(boards[0]) || !r.out(boards[1]) || !r.out(boards[2]) || !r.out(boards[3]); n++ {
					if r.request(boards[n%4], canary, 19) {
						called++
					}
					if n > 1000 {
						t.Fatal("it is in")
					}
				}
				most, sum = max(most, called), sum+called
			}
			t.Logf("%s fail: out after %d requests in the mean, %d at most", name, sum/rollouts, most)
			if most > 50 {
				t.Errorf("%s fail: out after %d requests", name, most)
			}
		}
	})
	t.Run("is tried again when its configuration is another", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one, two := r.process(), r.process()
		for range 20 {
			r.request(one, bad, 19)
		}
		r.sync(one, two)
		r.fingerprint = "second"
		r.sync(one) // two has the old file for a while
		r.pass(time.Minute)
		for range 50 {
			r.request(one, arm{p50: 120 * time.Millisecond}, 19)
		}
		r.sync(one)
		if r.out(one) || !one.targets["canary"].view.known() {
			t.Error("the new configuration is out")
		}
		r.fingerprint = "first"
		r.sync(two)
		if !r.out(two) {
			t.Error("the old configuration is in where it is still used")
		}
		r.fingerprint = "second"
		r.sync(two)
		if r.out(two) {
			t.Error("the new configuration is out elsewhere")
		}
	})
	t.Run("is out of a process alone, and of the others when the store is back", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one, two := r.process(), r.process()
		r.store.set(true, false)
		_ = one.Sync(t.Context())
		for range 20 {
			r.request(one, bad, 19)
		}
		if !r.out(one) {
			t.Fatal("it is in")
		}
		r.store.set(false, false)
		r.sync(one, two, one)
		if !r.out(one) || !r.out(two) {
			t.Error("it is in again")
		}
		r.logged("canary is rolled back", 1)
	})
	t.Run("stays out when others saw it do well", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one, two := r.process(), r.process()
		for range 100 {
			r.request(two, arm{p50: 120 * time.Millisecond}, 19)
		}
		for range 5 {
			r.request(one, bad, 19)
		}
		r.sync(two, one, two)
		if !r.out(one) || !r.out(two) {
			t.Error("what one process has judged is judged otherwise by another")
		}
		r.logged("canary is rolled back", 1)
	})
	t.Run("is a target like any other once it is no canary", func(t *testing.T) {
		t.Parallel()
		r := newRollout(t)
		one := r.process()
		for range 20 {
			r.request(one, bad, 19)
		}
		r.sync(one)
		one.c.Canary = func(string) (string, []string) { return "", nil }
		r.sync(one)
		if got := one.Status("canary"); got.RolledBack || got.State == "" {
			t.Errorf("%+v", got)
		}
	})
}

func TestAShadowOrAModelWithoutOthersIsNotJudged(t *testing.T) {
	t.Parallel()
	r := newRollout(t)
	r.config.Canary = func(string) (string, []string) { return "f", nil }
	b := r.process()
	for range 100 {
		b.Report(Outcome{Target: "canary", Code: events.CodeTimeout})
	}
	if r.out(b) {
		t.Error("it is rolled back")
	}
}
