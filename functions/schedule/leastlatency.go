package schedule

import "time"

// leastLatency draws two of the indexes by weight, at two points in [0, 1), and returns the one with the lower latency. One
// whose latency is unknown, 0, is tried.
//
// Always taking the fastest of all would send every request that comes before the next measurement to one target, and make
// it the slowest. The better of two drawn ones spreads them: the longest of n queues is then exponentially shorter than by
// one draw (M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE Transactions on Parallel and
// Distributed Systems 12(10), 2001), and it stays good where what is known of the queues is old, as measurements are (the
// same, "How Useful Is Old Information?", 11(1), 2000).
func leastLatency(weights []float64, first, second float64, latency func(int) time.Duration) int {
	a := draw(weights, first)
	w := weights[a]
	weights[a] = 0
	b := draw(weights, second)
	weights[a] = w
	if b < 0 || latency(a) <= latency(b) {
		return a
	}
	return b
}
