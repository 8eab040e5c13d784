//go:build race

package simulation_test

// worlds is how many seeds are run where nothing else is said: the race detector makes each some ten times as long.
const worlds = 500
