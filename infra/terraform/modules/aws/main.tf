# The chain on AWS: API Gateway, four Lambda functions, an SQS queue for each lane between them, Valkey for results, S3 for
# what is too large for a queue.
#
# ARNs of queues, functions and log groups are put together here from their names rather than read from the resources:
# they are known before anything is made, so a plan shows the policies in full, and tests can read them.

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
data "aws_region" "here" {}

module "catalog" {
  source = "../catalog"

  config          = var.config
  retired_targets = var.retired_targets
}

locals {
  account   = data.aws_caller_identity.here.account_id
  partition = data.aws_partition.here.partition
  region    = data.aws_region.here.region

  arn = { for service in ["sqs", "lambda", "logs", "ec2", "elasticache", "cloudwatch"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account}"
  }

  # Beside those of the chain: the steps of batches, and the doors of tenants whose requests come by a queue.
  lanes = merge(
    module.catalog.lanes,
    { for lane in ["batch-low"] : lane => { hop = "batch", priority = "low", target = "", calls = 0 } if local.objects },
    { for tenant, priority in module.catalog.intakes : "in-${tenant}" => { hop = "in", priority = priority, target = "", calls = 0 } },
  )
  queue_arns = { for lane in concat(keys(local.lanes), ["dead"]) : lane => "${local.arn.sqs}:${var.name}-${lane}" }

  functions = {
    ingest = {
      timeout = var.functions.ingest.timeout, memory = var.functions.ingest.memory
      takes   = local.pushed, emits = concat(["schedule"], local.objects ? ["batch"] : [], length(local.pushed) > 0 ? ["dead"] : [])
      secrets = [], internet = false
    }
    schedule = {
      timeout = var.functions.schedule.timeout, memory = var.functions.schedule.memory
      takes   = ["schedule"], emits = ["schedule", "infer", "callback", "dead"], secrets = [], internet = false
    }
    infer = {
      timeout = var.functions.infer.timeout, memory = var.functions.infer.memory
      takes   = ["infer"], emits = ["infer", "schedule", "callback", "dead"], secrets = module.catalog.secrets.infer, internet = true
    }
    callback = {
      timeout = var.functions.callback.timeout, memory = var.functions.callback.memory
      takes   = ["callback"], emits = ["callback", "dead"], secrets = module.catalog.secrets.callback, internet = true
    }
  }

  # What ingest takes beside HTTP, and which function takes from the queues of a hop.
  pushed = concat(local.objects ? ["batch"] : [], length(module.catalog.intakes) > 0 ? ["in"] : [])
  worker = { schedule = "schedule", infer = "infer", callback = "callback", batch = "ingest", in = "ingest" }

  function_arns = { for f in keys(local.functions) : f => "${local.arn.lambda}:function:${var.name}-${f}" }
}
