# Valkey, where results are kept to be polled, what decides between two ends of one request, and what the functions know
# together: who makes which attempt, how targets do, answers, limits, and what tenants spent. It is reached over TLS, from
# the functions only. It has no password: one would have to stand in Terraform's state and in four functions'
# environments, to guard a door that only those four can reach.

resource "aws_elasticache_serverless_cache" "results" {
  count = var.results.mode == "serverless" ? 1 : 0

  name                 = "${var.name}-results"
  description          = "Baton: results to poll"
  engine               = "valkey"
  major_engine_version = "8"
  kms_key_id           = var.kms_key_arn
  subnet_ids           = local.subnet_ids
  security_group_ids   = [aws_security_group.results[0].id]

  # It bounds the bill. At the limit Valkey forgets what was used least lately, results and budgets alike, which nodes do
  # not: there is an alarm well before, and a warning in the plan where there are budgets.
  cache_usage_limits {
    data_storage {
      maximum = var.results.max_gb
      unit    = "GB"
    }
  }
}

resource "aws_elasticache_subnet_group" "results" {
  count = var.results.mode == "nodes" ? 1 : 0

  name        = "${var.name}-results"
  description = "Baton: results to poll"
  subnet_ids  = local.subnet_ids
}

resource "aws_elasticache_parameter_group" "results" {
  count = var.results.mode == "nodes" ? 1 : 0

  name        = "${var.name}-results"
  description = "Baton: results to poll"
  family      = "valkey8"

  # Full, it refuses new requests (callers get 503 and come again) rather than forget what was promised, or spent. There
  # is no appendonly to set: ElastiCache has none for these nodes, and what outlives a node is its replicas' copy.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "results" {
  count = var.results.mode == "nodes" ? 1 : 0

  replication_group_id       = "${var.name}-results"
  description                = "Baton: results to poll"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.results.node_type
  num_cache_clusters         = var.results.nodes
  automatic_failover_enabled = true
  multi_az_enabled           = true
  port                       = 6379
  parameter_group_name       = aws_elasticache_parameter_group.results[0].name
  subnet_group_name          = aws_elasticache_subnet_group.results[0].name
  security_group_ids         = [aws_security_group.results[0].id]
  transit_encryption_enabled = true
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  snapshot_retention_limit   = 1
  apply_immediately          = true # a larger node is asked for when one is needed
}
