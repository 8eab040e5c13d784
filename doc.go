// Package baton is the root of the module and holds no code: its tests hold the shape of everything below it.
//
// The chain begins to be read at [baton.dev/baton/events], the contract, and at internal/hop, the runtime; the way of one
// request is told in ARCHITECTURE.md.
package baton
