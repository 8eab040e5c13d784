# The Kubernetes example is complete.

variables {
  image = "registry.example.com/baton-{function}:1.2.3"
}

run "it_renders_everything" {
  assert {
    condition = sort([for m in split("---\n", output.manifests) : "${yamldecode(m).kind}/${yamldecode(m).metadata.name}"]) == sort([
      "Namespace/baton", "ConfigMap/baton-config", "Service/ingest", "PodDisruptionBudget/ingest",
      "NetworkPolicy/nats", "NetworkPolicy/functions",
      "Deployment/ingest", "Deployment/schedule", "Deployment/infer", "Deployment/callback",
      "ScaledObject/ingest", "ScaledObject/schedule", "ScaledObject/infer", "ScaledObject/callback",
    ])
    error_message = output.manifests
  }
  assert {
    condition     = jsonencode(output.secret.keys) == jsonencode(["DEMO_WHSEC", "OPENAI_API_KEY"])
    error_message = jsonencode(output.secret)
  }
}
