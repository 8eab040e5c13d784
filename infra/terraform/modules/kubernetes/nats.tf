# NATS by its official chart (helm repository nats, chart nats, version 1 or newer): what the module renders are its
# values. A NATS cluster has more to it than a StatefulSet (peers, safe rolling updates, configuration reloads), and the
# chart is its makers' answer.

locals {
  nats_name       = "nats"
  nats_url        = "nats://${local.nats_name}.${var.namespace}.svc:4222"
  nats_monitoring = "${local.nats_name}-headless.${var.namespace}.svc.cluster.local:8222" # headless: KEDA asks the servers one by one

  nats_values = {
    fullnameOverride = local.nats_name
    container        = { image = { tag = var.nats.tag } }
    config = {
      cluster = { enabled = var.nats.servers > 1, replicas = max(2, var.nats.servers) }
      monitor = { enabled = true, port = 8222 }
      jetstream = {
        enabled = true
        fileStore = {
          enabled = true
          pvc = merge(
            { enabled = true, size = var.nats.disk },
            { for key in var.nats.storage_class == null ? [] : ["storageClassName"] : key => var.nats.storage_class },
          )
        }
        merge = { for key in var.nats.sync == "always" ? ["sync_interval"] : [] : key => "always" }
      }
    }
    podTemplate = {
      topologySpreadConstraints = { "topology.kubernetes.io/zone" = { maxSkew = 1, whenUnsatisfiable = "DoNotSchedule" } }
    }
    # What is accepted outlives the chart: removing it leaves the disks.
    statefulSet = { merge = { spec = { persistentVolumeClaimRetentionPolicy = { whenDeleted = "Retain", whenScaled = "Retain" } } } }
  }
}
