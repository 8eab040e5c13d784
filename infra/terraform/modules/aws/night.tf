# Smaller Valkey nodes by night, by schedule. Everything else that is made here costs nothing for idling but the NAT
# gateways, which cannot be stopped. Changing the node type takes some minutes, and the group answers meanwhile. At
# night a plan shows the node type as changed: applied, it only brings the day's type early.

locals {
  night = var.results.mode == "nodes" ? var.results.night : null
  turns = local.night == null ? {} : {
    night = { schedule = local.night.from, node_type = local.night.node_type }
    day   = { schedule = local.night.until, node_type = var.results.node_type }
  }
}

resource "aws_scheduler_schedule" "node_type" {
  for_each = local.turns

  name                         = "${var.name}-results-${each.key}"
  description                  = "Baton: Valkey nodes of the type ${each.value.node_type}"
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = local.night.timezone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${local.partition}:scheduler:::aws-sdk:elasticache:modifyReplicationGroup"
    role_arn = aws_iam_role.scheduler[0].arn
    input = jsonencode({
      ReplicationGroupId = "${var.name}-results"
      CacheNodeType      = each.value.node_type
      ApplyImmediately   = true
    })

    # The group may be busy with something else for a while.
    retry_policy {
      maximum_event_age_in_seconds = 7200
      maximum_retry_attempts       = 20
    }
  }
}

resource "aws_iam_role" "scheduler" {
  count = length(local.turns) > 0 ? 1 : 0

  name = "${var.name}-scheduler-${local.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  count = length(local.turns) > 0 ? 1 : 0

  name = "node-type"
  role = aws_iam_role.scheduler[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "ChangeNodeType", Effect = "Allow"
      Action   = ["elasticache:ModifyReplicationGroup"]
      Resource = ["${local.arn.elasticache}:replicationgroup:${var.name}-results"]
    }]
  })
}
