# A queue for each lane, and one for dead letters. Standard queues: events carry their own ids, and messages their
# tenant as MessageGroupId, by which SQS keeps a busy tenant from delaying the others.

locals {
  day = 86400

  # AWS asks for six times the function's timeout: a message must stay hidden while its batch is retried after throttling.
  visibility = { for f, spec in local.functions : f => 6 * spec.timeout }

  # How often a message is received before SQS itself sets it aside. The functions give up at 50 (internal/awslambda)
  # and write a dead letter that says why, which must come first: this catches what even that cannot.
  max_receive_count = 60

  # At a tenant's own door a message is received each time it is tried, as often as its tenant's rate makes it wait: so only
  # what is still there after the most receives that SQS counts is set aside, which takes the better part of a day.
  intake_receive_count = 1000
}

resource "aws_sqs_queue" "dead" {
  name                       = "${var.name}-dead"
  message_retention_seconds  = 14 * local.day
  max_message_size           = 1048576
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 20

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn
}

resource "aws_sqs_queue" "lane" {
  for_each = local.lanes

  name                       = "${var.name}-${each.key}"
  message_retention_seconds  = var.retention.messages * local.day
  max_message_size           = 1048576
  visibility_timeout_seconds = local.visibility[local.worker[each.value.hop]]
  receive_wait_time_seconds  = 20

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.queue_arns["dead"]
    maxReceiveCount     = each.value.hop == "in" ? local.intake_receive_count : local.max_receive_count
  })

  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null
  kms_master_key_id       = var.kms_key_arn

  depends_on = [aws_sqs_queue.dead, terraform_data.preflight]
}
