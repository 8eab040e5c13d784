# The way in: a Service for ingest, an Ingress if it has a host name, and a budget that keeps a drain of nodes from
# closing it.

locals {
  door = merge(
    {
      service-ingest = {
        apiVersion = "v1"
        kind       = "Service"
        metadata   = { name = "ingest", namespace = var.namespace, labels = local.labels["ingest"] }
        spec = {
          selector = local.labels["ingest"]
          ports    = [{ name = "http", port = 80, targetPort = "http" }]
        }
      }
      budget-ingest = {
        apiVersion = "policy/v1"
        kind       = "PodDisruptionBudget"
        metadata   = { name = "ingest", namespace = var.namespace }
        spec       = { maxUnavailable = 1, selector = { matchLabels = local.labels["ingest"] } }
      }
    },
    { for name in var.host == null ? [] : ["ingress"] : name => {
      apiVersion = "networking.k8s.io/v1"
      kind       = "Ingress"
      metadata   = { name = "ingest", namespace = var.namespace, labels = local.labels["ingest"] }
      spec = merge(
        { for key in var.host.class == null ? [] : ["ingressClassName"] : key => var.host.class },
        {
          tls = [{ hosts = [var.host.name], secretName = var.host.tls_secret }]
          rules = [{
            host = var.host.name
            http = { paths = [{ path = "/", pathType = "Prefix", backend = { service = { name = "ingest", port = { name = "http" } } } }] }
          }]
        },
      )
    } },
  )
}
