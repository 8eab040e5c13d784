# The chain on Kubernetes: NATS JetStream between the four functions, each a Deployment that KEDA scales. Every manifest
# is an entry of local.manifests, under the name by which tests and people find it; the other files add theirs.

module "catalog" {
  source = "../catalog"
  config = var.config
}

locals {
  manifests = merge(
    { namespace = local.namespace, config = local.config },
    { for f, m in local.deployments : "deployment-${f}" => m },
    { for f, m in local.scaled : "scale-${f}" => m },
    local.door,
    local.policies,
  )

  labels = { for f in keys(local.functions) : f => {
    "app.kubernetes.io/name"      = "baton"
    "app.kubernetes.io/component" = f
  } }

  namespace = {
    apiVersion = "v1"
    kind       = "Namespace"
    metadata = {
      name   = var.namespace
      labels = { "pod-security.kubernetes.io/warn" = "restricted" }
    }
  }

  # Mounted as a directory, so that a change of the file reaches the pods, which read it anew while they run.
  config = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "baton-config", namespace = var.namespace }
    data       = { "baton.yaml" = file(var.config) }
  }
}
