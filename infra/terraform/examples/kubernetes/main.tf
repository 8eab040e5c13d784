# Baton in a Kubernetes cluster of yours, with KEDA in the namespace keda and three NATS servers.

module "baton" {
  source = "../../modules/kubernetes"

  config = "${path.module}/baton.yaml"
  image  = var.image
  host   = var.host
}
