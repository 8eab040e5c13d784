package main

import (
	"maps"
	"slices"

	"baton.dev/baton/events"
)

// meaning is what a reason says, and what to do about it, in a sentence each.
type meaning struct{ says, remedy string }

// meanings is the one table of what reasons mean to an operator.
var meanings = map[events.Reason]meaning{
	events.ReasonUndecodable: {
		"The message is no event of this chain.",
		"Find out who put it there; it cannot be handled, and a redrive brings it back here.",
	},
	events.ReasonUnroutable: {
		"The event came to a function that does not take its type.",
		"Look for a program of another version or a subscription that is wrong, set it right, and redrive.",
	},
	events.ReasonLoop: {
		"The request went through more steps than any can need, so it went in circles.",
		"Redriving it leads to the same; look at its attempts, and at a policy or a version that sends it back and forth.",
	},
	events.ReasonRefused: {
		"The function refused the event for good.",
		"The detail says why; redrive it when that is set right.",
	},
	events.ReasonExhausted: {
		"Every try of the function failed, the last as the detail says.",
		"Set right what the detail names, then redrive: it is tried anew, as often as before.",
	},
	events.ReasonPanic: {
		"The function panicked at the last try, which is a fault in the program.",
		"Report it with the stack from the log of that time; redrive it once the program is mended.",
	},
	events.ReasonCrashLoop: {
		"It was delivered again and again and nothing came of it: it ends its process, or the transport was long in trouble.",
		"Look for processes that were killed for memory, and at the transport; redrive one letter first, and watch.",
	},
	events.ReasonTooLarge: {
		"What came of the event is larger than the transport takes.",
		"Raise the transport's limit (on NATS, max_payload) and redrive, or ask the model for less.",
	},
	events.ReasonUndelivered: {
		"The receiver took the callback at none of the tries that callbacks.retries in the configuration allows.",
		"The result can still be polled; redrive it when the receiver is well, and it is tried from the start.",
	},
	events.ReasonGone: {
		"The receiver answered 410: it does not want callbacks at this address any more.",
		"Redrive it only if the receiver is back there; the result can be polled.",
	},
	events.ReasonBlocked: {
		"The callback may not go there: its address is private or plain http, or the tenant's callbacks may not go to the queue, " +
			"or the receiver has not agreed to be called.",
		"The detail says which. If it is right all the same, allow it in the configuration or have the receiver agree, and redrive.",
	},
	events.ReasonMisconfigure: {
		"The configuration does not have what the event needs, such as its tenant or a secret.",
		"Put it back into the configuration, and redrive.",
	},
}

// atDoor is what it means that a message was refused at the door, on its way in from a queue or a topic.
var atDoor = meaning{
	"A message from a queue or a topic is no request that can be taken, as the detail says. It never was in the chain.",
	"Its sender is to mend it and send it again; it cannot be redriven. Its data shows with --data; baton dead forget removes it.",
}

// meaningOf returns what the reason means; of one that a newer version wrote, that it is not known.
func meaningOf(r events.Reason) meaning {
	if m, ok := meanings[r]; ok {
		return m
	}
	return meaning{"This version of baton does not know the reason.", "Look it up in the version that runs the chain."}
}

// reasonWords returns the reasons, sorted.
func reasonWords() []string {
	words := make([]string, 0, len(meanings))
	for _, r := range slices.Sorted(maps.Keys(meanings)) {
		words = append(words, string(r))
	}
	return words
}
