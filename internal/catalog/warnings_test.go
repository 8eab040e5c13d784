package catalog

import (
	"encoding/json"
	"testing"
)

func TestWarningsSayWhatIsValidAndSurprises(t *testing.T) {
	t.Parallel()
	const poll = `is missing, so the tenant can only poll: its requests with a callback_url are refused`
	const readable = ": is sent in the clear, to a host that is not known to be private: give an https:// or grpcs:// url"
	for name, tc := range map[string]struct {
		src  string
		want []string
	}{
		"nothing": {`
models: {m: {strategy: adaptive, cache: 1m, targets: [{name: a, api: simulated}, {name: b, api: simulated, canary: 5%}]}}
tenants:
  t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S], rate: 1/s, queued: 5}
`, nil},
		"no tenants": {one, []string{
			"baton.yaml:1:1: tenants: there are none, so no request is accepted: add one with a key that baton keygen makes",
		}},
		"tenants that are empty": {one + "tenants: {}\n", []string{
			"baton.yaml:3:10: tenants: there are none, so no request is accepted: add one with a key that baton keygen makes",
		}},
		"tenants that cannot have callbacks": {`
models: {m: {targets: [{name: a, api: simulated}]}}
tenants:
  b: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"]}
  a: {keys: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]}
  c: {keys: ["sha256:0000000000000000000000000000000000000000000000000000000000000000"], secrets: [env:S]}
`, []string{"baton.yaml:4:6: tenants.b.secrets: " + poll, "baton.yaml:5:6: tenants.a.secrets: " + poll}},
		"timeouts beyond the deadline": {`
models:
  z: {targets: [{name: a, api: simulated, timeout: 30s}, {name: b, api: simulated, timeout: 2h}]}
  m: {targets: [{name: c, api: openai, url: "http://h"}, {name: d, api: openai, url: "http://h:1", timeout: 1s}]}
limits: {deadline: 30s}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, []string{
			"baton.yaml:3:93: models.z.targets[1].timeout: is longer than limits.deadline (2h0m0s, 30s): " +
				"a request that names no deadline ends before it",
			"baton.yaml:4:17: models.m.targets[0].timeout: is longer than limits.deadline (1m0s, 30s): " +
				"a request that names no deadline ends before it",
		}},
		"a token that crosses the network in the clear, and brokers that nothing is taken from": {`
models:
  m:
    targets:
      - {name: a, api: openai, url: "https://h", auth: {oauth2: {token_url: "http://login/t", client_id: b, client_secret: env:S}}}
      - {name: b, api: openai, url: "https://h", auth: {oauth2: {token_url: "http://127.0.0.1/t", client_id: b, client_secret: env:S}}}
kafka: {brokers: ["k:9092"]}
tenants:
  t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S], intake: {nats: true}}
`, []string{
			"baton.yaml:5:77: models.m.targets[0].auth.oauth2.token_url: is plain http: the client's secret and its tokens can be read on the way",
			"baton.yaml:7:8: kafka: is not read: no tenant has topics in intake.kafka",
		}},
		"a server of the Open Inference Protocol that nothing is said of": {`
models:
  m:
    targets:
      - {name: a, api: oip-grpc, url: "grpc://h:1"}
      - {name: b, api: oip-http, url: "http://h", oip: {preset: kserve}}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, []string{
			"baton.yaml:5:9: models.m.targets[0].oip: is missing, so the server is taken for Triton with TensorRT-LLM: " +
				"give oip: {preset: triton}, or kserve or vllm",
		}},
		"a shadow at the edge": {`
models: {m: {targets: [{name: a, api: simulated}, {name: b, api: openai, url: "http://h", edge: true, shadow: 10%}]}}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, []string{
			"baton.yaml:2:111: models.m.targets[1].shadow: is at the edge, where nobody sees how it does: baton edge has no metrics, " +
				"and logs only what fails",
		}},
		"credentials that cross the network in the clear": {`
models:
  m:
    targets:
      - {name: a, api: openai, url: "http://models.example.com/v1", key: env:K}
      - {name: b, api: openai, url: "http://8.8.8.8", key: env:K, auth: {header: api-key}}
      - {name: c, api: oip-grpc, url: "grpc://models.example.com:1", key: env:K, oip: {preset: vllm}}
      - {name: d, api: openai, url: "http://models.example.com", auth: {oauth2: {token_url: "https://l/t", client_id: b, client_secret: env:S}}}
      - {name: e, api: openai, url: "http://models.example.com", auth: {sigv4: {region: us-east-1}}}
      - {name: f, api: openai, url: "https://models.example.com", key: env:K}
      - {name: g, api: openai, url: "http://127.0.0.1:1", key: env:K}
      - {name: h, api: openai, url: "http://10.1.2.3", key: env:K}
      - {name: i, api: openai, url: "http://[fd00::1]:1", key: env:K}
      - {name: j, api: openai, url: "http://vllm:8000", key: env:K}
      - {name: k, api: openai, url: "http://vllm.prod.svc.cluster.local:8000", key: env:K}
      - {name: l, api: openai, url: "http://models.example.com"}
tenants: {t: {keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S]}}
`, []string{
			"baton.yaml:5:74: models.m.targets[0].key" + readable,
			"baton.yaml:6:60: models.m.targets[1].key" + readable,
			"baton.yaml:7:75: models.m.targets[2].key" + readable,
			"baton.yaml:8:72: models.m.targets[3].auth" + readable,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, "warnings", said(parse(t, tc.src)), tc.want)
		})
	}
}

// said returns the warnings of a catalog as a person reads them.
func said(c *Catalog) []string {
	var list []string
	for _, w := range c.Warnings() {
		list = append(list, w.String())
	}
	return list
}

func TestATargetWithoutAPriceIsWarnedOfWhereATenantWithABudgetMayUseIt(t *testing.T) {
	t.Parallel()
	const models = `models:
  group: {group: {member: 1}, fallback: [fallback]}
  member: {targets: [{name: member, api: simulated}]}
  fallback: {targets: [{name: fallback, api: simulated}, {name: priced, api: simulated, price: {output: 1}}]}
  other: {targets: [{name: other, api: simulated}, {name: free, api: simulated, price: {input: 0}}]}
tenants:
`
	const (
		budget = `{keys: ["sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"], secrets: [env:S], budget: 1/day`
		none   = `{keys: ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"], secrets: [env:S]`
		says   = ": is missing, and tenant t, which has a budget, may use the target: what that costs is not counted"

		member   = "baton.yaml:3:22: models.member.targets[0].price" + says
		fallback = "baton.yaml:4:24: models.fallback.targets[0].price" + says
		other    = "baton.yaml:5:21: models.other.targets[0].price" + says
	)
	for name, tc := range map[string]struct {
		tenants string
		want    []string
	}{
		"no tenant has a budget":                       {"  t: " + none + "}\n", nil},
		"it may use all":                               {"  t: " + budget + "}\n", []string{member, fallback, other}},
		"it may use a group, with what stands behind":  {"  t: " + budget + ", models: [group]}\n", []string{member, fallback}},
		"it may use one, and another tenant all":       {"  a: " + none + "}\n  t: " + budget + ", models: [other]}\n", []string{other}},
		"it may use none that is without a price else": {"  t: " + budget + ", models: [fallback]}\n", []string{fallback}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			equal(t, "warnings", said(parse(t, models+tc.tenants)), tc.want)
		})
	}
}

func TestAWarningIsEncodedLikeAFault(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(parse(t, one).Warnings())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "JSON", string(b), `[{"file":"baton.yaml","line":1,"column":1,"path":"tenants",`+
		`"problem":"there are none, so no request is accepted: add one with a key that baton keygen makes"}]`)
}
