// Package simulation runs the production chain in a small world of its own, thousands of times, each time with other faults.
//
// A world is a few processes with the functions of the chain, unchanged, on the memory transport and the memory stores, with
// callers, models and receivers around them. It runs in virtual time (testing/synctest). Everything that one part does to
// another is an effect: an event published, received, acknowledged; a fact written or read; a model called; a callback
// posted. An effect waits until the world takes it, and the world takes one at a time, in an order that the seed decides. At
// each, the seed may decide for a fault: the effect fails, or it takes place and its acknowledgement is lost, or its process
// crashes before or after it, or it is late, lost or doubled. Beside these, processes are stopped and started, their
// configurations change under them, models and receivers fall ill and recover, shared state is away.
//
// After a while the faults stop, and the world is given time to come to rest. What must hold at each step and at the end is in
// invariants.go and, for what callers are told, in admitted.go.
//
// A seed decides everything: each draw has a name, made of what it is about and not of how many draws came before, so
// that a part of the faults can be left out and the others stay. That is how a failing seed is made short.
package simulation
