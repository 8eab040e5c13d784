# KEDA: schedule, infer and callback by what waits in their lanes, down to no pod at all; ingest by its processor, since
# a request that comes to no pod is lost.
#
# A lane's consumer is named <hop>-<priority>[-<target>] (internal/bus/natsbus). KEDA counts what waits and what is
# being worked on, so a function is not scaled to zero under a running call. Before a lane has ever been served it has
# no consumer, and KEDA counts the whole stream: the first pod makes them all. A delayed retry counts from when it is
# due.
#
# While a target is crowded, tenants wait in lanes of their own, whose consumers come and go with them. KEDA cannot name
# those, so infer is scaled by what is in its stream, too: without it, pods would go while only a tenant's lane had work.

locals {
  lags = {
    schedule = 256 # what one process works on at once (internal/chain)
    callback = 256
    infer    = 0 # a target's concurrency: below
  }

  # The scaler metrics-api reads one number from an answer, at a path as GJSON writes it. A server that does not hold the
  # stream, as some of five do not, has none; then the other triggers decide.
  streams = {
    schedule = []
    callback = []
    infer = [{
      type = "metrics-api"
      name = "infer-stream"
      metadata = {
        url                   = "http://${local.nats_monitoring}/jsz?acc=%24G&streams=true"
        valueLocation         = "account_details.0.stream_detail.#(name==\"BATON_INFER\").state.messages"
        targetValue           = tostring(sum([for t in module.catalog.targets : t.concurrency]))
        activationTargetValue = "0"
      }
    }]
  }

  scaled = merge(
    { for hop in ["schedule", "infer", "callback"] : hop => {
      apiVersion = "keda.sh/v1alpha1"
      kind       = "ScaledObject"
      metadata   = { name = hop, namespace = var.namespace }
      spec = {
        scaleTargetRef  = { name = hop }
        minReplicaCount = 0
        maxReplicaCount = var.scale[hop].max
        pollingInterval = 5
        cooldownPeriod  = 300
        # Taken down one by one: what a pod has begun and cannot end in 25 seconds is begun again elsewhere, and a model
        # call is paid for twice.
        advanced = { horizontalPodAutoscalerConfig = { behavior = { scaleDown = {
          stabilizationWindowSeconds = 300
          policies                   = [{ type = "Pods", value = 1, periodSeconds = 60 }]
        } } } }
        triggers = concat(local.streams[hop], [for name in sort([for n, l in module.catalog.lanes : n if l.hop == hop]) : {
          type = "nats-jetstream"
          name = name
          metadata = {
            natsServerMonitoringEndpoint = local.nats_monitoring
            account                      = "$G"
            stream                       = "BATON_${upper(hop)}"
            consumer                     = name
            lagThreshold                 = tostring(hop == "infer" ? module.catalog.targets[module.catalog.lanes[name].target].concurrency : local.lags[hop])
            activationLagThreshold       = "0"
          }
        }])
      }
    } },
    { ingest = {
      apiVersion = "keda.sh/v1alpha1"
      kind       = "ScaledObject"
      metadata   = { name = "ingest", namespace = var.namespace }
      spec = {
        scaleTargetRef  = { name = "ingest" }
        minReplicaCount = var.scale.ingest.min
        maxReplicaCount = var.scale.ingest.max
        triggers        = [{ type = "cpu", metricType = "Utilization", metadata = { value = "70" } }]
      }
    } },
  )
}
