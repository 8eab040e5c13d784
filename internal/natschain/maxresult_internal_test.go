package natschain

import "testing"

func TestAResultFollowsTheServersPayload(t *testing.T) {
	t.Parallel()
	for payload, want := range map[int64]int{
		1 << 20:  900 << 10, // the server's default
		8 << 20:  8068 << 10,
		64 << 20: 8 << 20,
	} {
		if got := maxResult(payload); got != want {
			t.Errorf("%d bytes of payload are %d of a result, want %d", payload, got, want)
		}
	}
}
