// Package awslambda runs one function of the chain on AWS Lambda, by its environment: ingest behind an API Gateway HTTP API
// or a function URL, the others behind event source mappings of SQS. Ingest is behind some, too: of the tenants' own queues,
// through which requests come in, and of the queue with the steps of batches.
//
// A mapping receives messages, invokes the function with a batch of them, and deletes from the queue what the function does
// not report as failed. So a message is done when its output is stored and it is left out of the report, and everything
// else comes again: what is reported, what a crash or Lambda's timeout took, what was throttled away. None of that is a try.
// Tries are counted in the event, by a new copy of it; how often SQS has received a message only guards against one that
// takes its process down ([deliveries]).
//
// # Time
//
// Lambda stops an invocation at its deadline, the function's timeout after its start, 15 minutes at most. This package ends
// its work before that, in four steps, each a tenth or so of what is left but no more than a second or five:
//
//	a call of a model ends      1 s before the handlers; it is an attempt that failed with timeout, and schedule decides
//	handlers end                5 s before what follows; an event whose handler is ended so has had its try
//	storing and settling end    1 s before the deadline; what is not settled is reported as failed
//	the deadline                whatever was stored is stored; the batch comes again after the visibility timeout
//
// An item that waits for a place and needs more time than is left is not begun: it is given back, at once.
//
// So a call of a model that would outlive the invocation is an attempt that failed, like one that outlives its target's
// timeout, and costs an attempt each time. A target's timeout belongs below the function's, by 10 s or more; where it is
// not, the first call says so in the log. Calls that take longer than a quarter of an hour cannot be made on Lambda; the
// same function as a process of its own makes them.
//
// No heartbeat keeps a message hidden: the queue's visibility timeout must be six times the function's timeout or more, as
// Lambda asks for. Should it run out all the same, the message is worked twice, and the results store tells the two apart
// as it does after a crash.
//
// # Size, and answers
//
// Lambda takes 6 MB of an event and 6 MB of an answer. A request over that is answered 413 by API Gateway; large files are
// uploaded to S3 by presigned URLs, and downloaded from there. An answer goes out when it is whole, within the half minute
// that API Gateway waits: streams are told that they are held back, and come in short turns.
//
// # Delay
//
// A counted retry is a new copy of the event with a delay of its own, see package sqsbus. What is given back uncounted, since
// it is early or this side is in trouble, has its visibility timeout set to the delay, and is reported as failed so that the
// mapping does not delete it.
//
// # State
//
// The configuration is loaded and the clients are made once a process, which then serves one invocation after another. A
// process that Lambda froze for a while finds its connections by their age and dials anew.
package awslambda
