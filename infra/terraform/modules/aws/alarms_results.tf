# Alarms of Valkey.

locals {
  result_nodes = var.results.mode == "nodes" ? [for i in range(var.results.nodes) : format("%03d", i + 1)] : []
  gigabyte     = 1073741824

  results_alarms = merge(
    { for n in local.result_nodes : "valkey-memory-${n}" => {
      kind       = "valkey-memory", expression = "", per = ""
      says       = "Valkey node ${n} has used 80 % of its memory; full, it refuses new results, and callers get 503."
      first      = "set results.node_type to the next larger size and apply."
      namespace  = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", statistic = "Maximum"
      dimensions = { CacheClusterId = "${var.name}-results-${n}" }, threshold = 80, minutes = 5
    } },
    { for n in local.result_nodes : "valkey-cpu-${n}" => {
      kind       = "valkey-cpu", expression = "", per = ""
      says       = "Valkey node ${n} has used over 80 % of its processor: accepting requests gets slow, then fails."
      first      = "set results.node_type to the next larger size and apply; if the load is not usual, find the tenant that sends it."
      namespace  = "AWS/ElastiCache", metric = "EngineCPUUtilization", statistic = "Average"
      dimensions = { CacheClusterId = "${var.name}-results-${n}" }, threshold = 80, minutes = 5
    } },
    { for kind in var.results.mode == "serverless" ? ["valkey-memory"] : [] : kind => {
      kind       = kind, expression = "", per = ""
      says       = "Valkey holds 80 % of the ${var.results.max_gb} GB it may; beyond, it forgets what was used least lately: results that nobody polled yet, and what tenants spent of their budgets."
      first      = "raise results.max_gb and apply."
      namespace  = "AWS/ElastiCache", metric = "BytesUsedForCache", statistic = "Maximum"
      dimensions = { clusterId = "${var.name}-results" }, threshold = floor(0.8 * var.results.max_gb * local.gigabyte), minutes = 5
    } },
    { for kind in var.results.mode == "serverless" ? ["valkey-throttled"] : [] : kind => {
      kind       = kind, expression = "", per = ""
      says       = "Valkey refuses commands because load grew faster than it can: requests are slow, or get 503."
      first      = "wait ten minutes, in which it grows by itself; if it stays, use results.mode nodes."
      namespace  = "AWS/ElastiCache", metric = "ThrottledCmds", statistic = "Sum"
      dimensions = { clusterId = "${var.name}-results" }, threshold = 0, minutes = 5
    } },
  )
}
