package catalog

import "testing"

func TestWarningsSayWhatIsValidAndSurprises(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		src  string
		want []string
	}{
		"nothing": {`
models: {m: {targets: [{name: a, api: simulated}]}}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, nil},
		"no tenants": {one, []string{"there are no tenants, so no request is accepted: add one with a key that baton keygen makes"}},
		"tenants that cannot have callbacks": {`
models: {m: {targets: [{name: a, api: simulated}]}}
tenants:
  b: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]}
  a: {keys: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]}
  c: {keys: ["sha256:0000000000000000000000000000000000000000000000000000000000000000"], secrets: [env:S]}
`, []string{
			"tenant a: has no secrets, so it can only poll: its requests with a callback_url are refused",
			"tenant b: has no secrets, so it can only poll: its requests with a callback_url are refused",
		}},
		"timeouts beyond the deadline, after what is not supported": {`
models:
  z: {targets: [{name: a, api: simulated, timeout: 1h}, {name: b, api: simulated, timeout: 2h}]}
  m: {cache: 1m, targets: [{name: c, api: simulated, timeout: 90m}]}
limits: {deadline: 1h}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, []string{
			"model m: cache is not supported yet: every request is inferred",
			"target c: timeout is longer than limits.deadline (1h30m0s, 1h0m0s): a request that names no deadline ends before it",
			"target b: timeout is longer than limits.deadline (2h0m0s, 1h0m0s): a request that names no deadline ends before it",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, "warnings", parse(t, tc.src).Warnings(), tc.want)
		})
	}
}
