// Package events is the contract of the chain: its events, their ids and attributes, which hop takes which, and the unified
// request and result that they carry.
//
// Everything here is a value or a pure function. Ids are deterministic: the same step of the same request, repeated, has
// the same id, so that a repeat is recognised without a memory of it.
package events
