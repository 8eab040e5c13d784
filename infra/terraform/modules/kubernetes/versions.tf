# No provider: the module renders manifests, and kubectl applies them. So a plan needs no cluster and the tests run
# anywhere; what is in the cluster is what kubectl diff shows; and KEDA's resources can be rendered before KEDA is
# there, which the kubernetes provider's kubernetes_manifest cannot do, since it asks the cluster for their schema
# during the plan.
terraform {
  required_version = ">= 1.11"
}
