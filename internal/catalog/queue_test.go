package catalog

import (
	"strings"
	"testing"
)

func TestACallbackMayNameTheQueuesThatTheFileAllows(t *testing.T) {
	t.Parallel()
	tenant := &Tenant{CallbackQueues: []string{
		"nats://exact", "nats://orders.results", "nats://tail.>", "nats://one.*.done", "nats://both.*.>", "sqs://results", "sqs://r.fifo",
	}}
	for queue, want := range map[string]bool{
		"nats://exact": true, "nats://exact.more": false, "nats://Exact": false, "NATS://exact": false, "nats:exact": false,
		"nats://orders.results": true, "nats://orders": false, "nats://orders.results.eu": false, "nats://orders.other": false,
		"nats://tail": false, "nats://tail.a": true, "nats://tail.a.b.c": true, "nats://tail.": false, "nats://tail.a..b": false,
		"nats://one.a.done": true, "nats://one.done": false, "nats://one.a.b.done": false, "nats://one.a": false,
		"nats://both.a.b": true, "nats://both.a": false, "nats://both.a.b.c": true,
		// No caller names more than one, whatever is allowed.
		"nats://tail.>": false, "nats://tail.*": false, "nats://one.*.done": false, "nats://tail.a b": false, "nats://tail.a\r\nPUB": false,
		"nats://tail.a?x": false, "nats://user@tail.a": false, "nats://": false, "": false, "https://exact": false, "exact": false,
		"sqs://results": true, "sqs://results2": false, "sqs://RESULTS": false, "sqs://r.fifo": true, "sqs://r": false, "sqs://": false,
		"sqs://results?x": false, "sqs://results/": false, "nats://results": false, "sqs://exact": false,
		"nats://tail." + strings.Repeat("a", 300): false,
	} {
		if got := tenant.MayCallQueue(queue); got != want {
			t.Errorf("%q: %v", queue, got)
		}
	}
	if (&Tenant{}).MayCallQueue("nats://exact") || (&Tenant{}).MayCallQueue("sqs://results") {
		t.Error("a tenant without queues may call one")
	}
}

func TestNoCallbackReachesTheChainItselfWhateverIsAllowed(t *testing.T) {
	t.Parallel()
	// No file says so: it is refused. Here the allowance is made in code.
	tenant := &Tenant{CallbackQueues: []string{"nats://>", "nats://*.>", "nats://baton.>", "nats://$SYS.>", "sqs://baton-infer"}}
	for _, queue := range []string{
		"nats://baton.schedule.high", "nats://baton", "nats://$SYS.REQ.SERVER", "nats://$JS.API.STREAM.DELETE.x", "nats://_INBOX.a.b", "sqs://baton-infer",
	} {
		if tenant.MayCallQueue(queue) {
			t.Errorf("%s may be called", queue)
		}
	}
}

// FuzzMayCallQueue looks for a queue that a caller may name and that no file would have been allowed to.
func FuzzMayCallQueue(f *testing.F) {
	for _, s := range []string{"nats://orders.x", "nats://orders.>", "nats://baton.x", "sqs://q", "sqs://q.fifo", "nats://orders.x\n", "nats://orders..x"} {
		f.Add(s)
	}
	tenant := &Tenant{CallbackQueues: []string{"nats://>", "nats://orders.*", "sqs://q", "sqs://q.fifo"}}
	f.Fuzz(func(t *testing.T, queue string) {
		if !tenant.MayCallQueue(queue) {
			return
		}
		if problem := callbackQueue(queue); problem != "" || strings.ContainsAny(queue, "*>$ \r\n") {
			t.Fatalf("%q may be called: %s", queue, problem)
		}
	})
}
