//go:build !race

package simulation_test

// worlds is how many seeds are run where nothing else is said.
const worlds = 10_000
