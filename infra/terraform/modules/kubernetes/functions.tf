# A Deployment for each function. How many pods it has is KEDA's to say, so a manifest names no number.

locals {
  # What each function reads from the Secret: no more than it needs.
  functions = {
    ingest   = []
    schedule = []
    infer    = module.catalog.secrets.infer
    callback = module.catalog.secrets.callback
  }

  # Where the URL of Redis is read from: one reference, or none.
  redis_url = [for r in var.redis_url[*] : { name = coalesce(r.secret, var.secret), key = r.key }]

  environment = concat(
    [
      { name = "BATON_CONFIG", value = "/etc/baton/baton.yaml" },
      { name = "BATON_NATS_URL", value = local.nats_url },
      { name = "BATON_NATS_REPLICAS", value = tostring(min(3, var.nats.servers)) },
      { name = "BATON_NATS_SYNC", value = var.nats.sync },
      { name = "BATON_LISTEN", value = "0.0.0.0:8080" },
    ],
    [for r in local.redis_url : { name = "BATON_REDIS_URL", valueFrom = { secretKeyRef = r } }],
  )

  deployments = { for f, secrets in local.functions : f => {
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = f, namespace = var.namespace, labels = local.labels[f] }
    spec = {
      selector = { matchLabels = local.labels[f] }
      strategy = { type = "RollingUpdate", rollingUpdate = { maxUnavailable = 0, maxSurge = "25%" } }
      template = {
        metadata = {
          labels      = local.labels[f]
          annotations = { "prometheus.io/scrape" = "true", "prometheus.io/port" = "8080", "prometheus.io/path" = "/metrics" }
        }
        spec = {
          automountServiceAccountToken  = false
          terminationGracePeriodSeconds = 30 # a function drains within 25
          topologySpreadConstraints = [{
            maxSkew           = 1
            topologyKey       = "topology.kubernetes.io/zone"
            whenUnsatisfiable = "ScheduleAnyway"
            labelSelector     = { matchLabels = local.labels[f] }
          }]
          securityContext = { runAsNonRoot = true, seccompProfile = { type = "RuntimeDefault" } }
          containers = [{
            name  = f
            image = replace(var.image, "{function}", f)
            env = concat(local.environment, [
              for name in secrets : { name = name, valueFrom = { secretKeyRef = { name = var.secret, key = name } } }
            ])
            ports           = [{ name = "http", containerPort = 8080 }]
            readinessProbe  = { httpGet = { path = "/readyz", port = "http" }, periodSeconds = 5, timeoutSeconds = 3 }
            livenessProbe   = { httpGet = { path = "/healthz", port = "http" }, periodSeconds = 10, timeoutSeconds = 3 }
            resources       = { requests = { cpu = "100m", memory = "64Mi" }, limits = { memory = "256Mi" } }
            securityContext = { allowPrivilegeEscalation = false, readOnlyRootFilesystem = true, capabilities = { drop = ["ALL"] } }
            volumeMounts    = [{ name = "config", mountPath = "/etc/baton", readOnly = true }]
          }]
          volumes = [{ name = "config", configMap = { name = "baton-config" } }]
        }
      }
    }
  } }
}
