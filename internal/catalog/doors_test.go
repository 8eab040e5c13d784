package catalog

import (
	"testing"

	"baton.dev/baton/events"
)

func TestHowATargetIsCalledIsRead(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/good/doors.yaml")
	target := func(name string) *Target {
		target, _, _ := c.Target(name)
		return target
	}
	equal(t, "header", target("raw").Auth, Auth{Header: "authorization"})
	equal(t, "oauth2", target("oauth2").Auth, Auth{OAuth2: &OAuth2{
		TokenURL: "https://login.example.com/t?tenant=1", ClientID: "baton", ClientSecret: "env:S", Scopes: []string{"a", "b:c"},
	}})
	equal(t, "authorities", target("oauth2").TLS, TLS{CA: "file:testdata/good/ca.pem", ServerName: "models.internal"})
	equal(t, "a stream that is turned off", target("oauth2").OIP, OIP{Preset: VLLM, Input: "text_input", Output: "text_output", Version: "1.2.x"})
	equal(t, "sigv4", target("process").Auth, Auth{SigV4: &SigV4{Region: "us-east-1", Service: "bedrock"}})
	equal(t, "tensors", target("process").OIP, OIP{Preset: KServe, Input: "input-0", Output: "text"})
	equal(t, "certificate", target("mutual").TLS, TLS{Cert: "file:testdata/good/client.pem", Key: "file:testdata/good/client.key"})
	equal(t, "headers", target("mutual").Headers, map[string]string{"x-a": "b c", "x-b": "~"})
	equal(t, "a stream by default", target("decoupled").OIP, OIP{Preset: VLLM, Input: "text_input", Output: "text_output", Stream: true})
	equal(t, "edge", []bool{target("decoupled").Edge, target("raw").Edge}, []bool{true, false})
	equal(t, "fetch_urls", []bool{target("sim").FetchURLs, target("raw").FetchURLs}, []bool{true, false})
}

func TestWhereRequestsComeFromAndResultsGoIsRead(t *testing.T) {
	t.Parallel()
	c := load(t, "testdata/good/doors.yaml")
	equal(t, "kafka", c.Kafka, Kafka{Brokers: []string{"k1:9092", "[::1]:9093", "10.0.0.1:9094"}, Group: "baton"})
	equal(t, "tenant", c.Tenants["orders"], &Tenant{
		Name: "orders", Keys: []string{"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		Priority: events.Normal, Models: []string{"*"}, Secrets: []Secret{"env:S"},
		CallbackQueues: []string{"nats://orders.results", "nats://orders.>", "nats://a.*.b", "sqs://results-queue", "sqs://r.fifo"},
		Handshake:      true, Intake: Intake{NATS: true, Kafka: []string{"orders", "orders.eu"}},
	})
	equal(t, "a name with a dot", c.Tenants["a.b"].Intake, Intake{Kafka: []string{"other"}})

	k := load(t, "testdata/full.yaml").Kafka
	equal(t, "with a password", k, Kafka{
		Brokers: []string{"kafka.internal:9092"}, Group: "baton", Username: "env:KAFKA_USERNAME", Password: "env:KAFKA_PASSWORD", TLS: true,
	})
}

func TestOIPIsThatOfItsPresetWhereItSaysNothing(t *testing.T) {
	t.Parallel()
	for of, want := range map[OIP]OIP{
		{}:                                      {Preset: Triton, Input: "text_input", Output: "text_output"},
		{Preset: KServe, Version: "2"}:          {Preset: KServe, Input: "input-0", Output: "output-0", Version: "2"},
		{Preset: VLLM}:                          {Preset: VLLM, Input: "text_input", Output: "text_output"},
		{Input: "a", Output: "b", Stream: true}: {Preset: Triton, Input: "a", Output: "b", Stream: true},
	} {
		equal(t, "filled", of.WithDefaults(), want)
	}
}
