# Who may talk to NATS: the functions, NATS itself, and KEDA to the monitoring port. NATS has no password here, so
# whoever reaches it may read and write every request.

locals {
  policies = {
    policy-nats = {
      apiVersion = "networking.k8s.io/v1"
      kind       = "NetworkPolicy"
      metadata   = { name = "nats", namespace = var.namespace }
      spec = {
        podSelector = { matchLabels = { "app.kubernetes.io/name" = "nats" } }
        policyTypes = ["Ingress"]
        ingress = [
          { from = [{ podSelector = {} }] },
          {
            from  = [{ namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = "keda" } } }]
            ports = [{ port = 8222, protocol = "TCP" }]
          },
        ]
      }
    }
    # Only ingest is asked anything; the others' port is for probes, which come from the node, and for metrics.
    policy-functions = {
      apiVersion = "networking.k8s.io/v1"
      kind       = "NetworkPolicy"
      metadata   = { name = "functions", namespace = var.namespace }
      spec = {
        podSelector = { matchLabels = { "app.kubernetes.io/name" = "baton" } }
        policyTypes = ["Ingress"]
        ingress     = [{ ports = [{ port = 8080, protocol = "TCP" }] }]
      }
    }
  }
}
