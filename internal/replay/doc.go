// Package replay answers what if: it reads the recorded trace of a chain, runs the arrivals in it through the scheduler of
// package schedule under another configuration, and says what would have changed.
//
// # The trace
//
// A trace is text, a JSON object a line: what the events of a chain say, without prompts, outputs and addresses. A
// [Recorder] makes the lines from events, and [Read] reads them. The members of a line, of which those marked are always
// there:
//
//	v              * the version of the format, 1
//	at             * when the step was done, by the clock of the function that did it; RFC 3339 with nanoseconds
//	event          * requested, scheduled, attempt_failed, completed or failed
//	message_id     * of the request that the line is about
//	tenant           of the request
//	priority         of the request: high, normal or low
//	model            that the request names
//	target           of the attempt, or of the result
//	attempt          the number of the attempt, from 1
//	code             why an attempt or the request failed: a word of package events
//	expiry           the deadline of the request
//	not_before       of scheduled: the attempt was not to begin earlier
//	same             equal for requests that the cache takes for one and the same, and otherwise meaningless: it is made from
//	                 the cache key by a hash with a secret of the recording's own, so that no guess of a prompt can be
//	                 confirmed by it
//	cached           of completed: no model was called
//	usage            of completed: prompt_tokens, completion_tokens and total_tokens
//	inference_ms     of completed, and of attempt_failed where it is known: how long the call took, in milliseconds
//	finish_reason    of completed: stop, length, content_filter or tool_calls
//
// requested names the model and the priority; scheduled, attempt_failed and completed, unless it is cached, the target and the
// attempt; attempt_failed and failed have a code. Readers pass over members that they do not know; a change that an old
// reader would misread is another version. Lines may stand in any order and may be repeated: the first of a step counts.
// Traces of one chain may be put together, though what is equal is known within each alone. A last line that was cut off
// is left out.
//
// # The replay
//
// [Run] is a discrete-event simulation under a virtual clock. Each request arrives when it arrived. The scheduler decides,
// and each target is a server with its configured concurrency, before which attempts wait in a lane for each priority,
// served by weight as package hop does. How an attempt at a target goes is what was recorded of that target:
//
//   - the outcome of this very request at this very target, where there is one: the first for its first attempt there, and so
//     on;
//   - otherwise that of another attempt at the target, drawn by the seed from those that began within a minute, or from the
//     nearest twenty, whichever are more;
//   - for a target that the trace does not know, and for every one that an [Assumption] is made about, what is assumed: a
//     log-normal time by its median and 99th percentile, and a share of errors; but a target with a shadow, which a trace
//     never says anything of as such, is left out with its copies unless something is assumed of it, or it is simulated;
//   - a request that one model refused as the caller's fault is refused by every one.
//
// The new configuration's timeout and the request's deadline cut a call short. A call that the deadline cut short in the
// trace is known to take longer than that, and no more: how much longer is drawn from the calls of the target that did.
//
// Usage is the request's own where the trace has it, and otherwise the mean of its model; what it costs is a matter of the
// configuration's prices. Hand-over between functions takes what it took: the median time of a decision, and the tenth
// percentile of the time from there to the start of a call, at which little is due to waiting.
//
// The same trace, configuration and seed give the same report.
//
// # What it cannot know
//
//   - Whether a model would be slower under more load, or faster under less: its times are those that were recorded.
//   - How long a failed call took, where the trace does not say: the time since its decision is taken, less what a call that
//     succeeded at the target about then had waited.
//   - What was refused at the door and left no event, and what would be: rate limits, caps and budgets are not applied.
//   - Whether requests without a mark of equality are equal: a cache that the new configuration turns on answers only those
//     that were recorded with one.
//   - What a model would have answered: another one may use more tokens for the same request.
//   - The times at which a target asked to be left alone until, and what the functions of several processes knew of each
//     other: the replay has one process that knows all.
//   - Tenants' lanes apart: a priority's lane is first in, first out, whoever it is for.
//   - What the copies cost that went to shadows: they leave no line in a trace.
//   - Callbacks: a request ends when its result is known.
package replay
