# A role for each function. It may take from its own queues, send to those it emits to, read the secrets that baton.yaml
# makes it read, touch the objects it has to do with (objects.tf), and write its own log. A function emits to its own queues
# too: a retry is a new copy of the event.

locals {
  receive = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]

  lane_arns = { for hop in concat(keys(local.worker), ["dead"]) : hop => concat(
    [for name, lane in local.lanes : local.queue_arns[name] if lane.hop == hop],
    hop == "dead" ? [local.queue_arns["dead"]] : [],
  ) }

  # Ingest, infer and callback keep results; schedule is given the URL too, for the cache and the targets' health.
  results_secret = var.results.mode == "external" ? [var.results.redis_url_secret_arn] : []

  statements = { for f, spec in local.functions : f => concat(
    [
      {
        Sid      = "WriteOwnLog", Effect = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${local.arn.logs}:log-group:/aws/lambda/${var.name}-${f}:*"]
      },
      {
        Sid      = "SendToOutputs", Effect = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = flatten([for hop in spec.emits : local.lane_arns[hop]])
      },
    ],
    length(spec.takes) == 0 ? [] : [{
      Sid      = "TakeFromInputs", Effect = "Allow"
      Action   = local.receive
      Resource = flatten([for hop in spec.takes : local.lane_arns[hop]])
    }],
    f == "callback" && length(module.catalog.callback_queues) > 0 ? [{
      Sid      = "SendToReceivers", Effect = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [for q in module.catalog.callback_queues : "${local.arn.sqs}:${q}"]
    }] : [],
    length(spec.secrets) + length(local.results_secret) == 0 ? [] : [{
      Sid      = "ReadSecrets", Effect = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = concat([for n in spec.secrets : try(var.secrets[n], "")], local.results_secret)
    }],
    var.kms_key_arn == null ? [] : [{
      Sid      = "UseKey", Effect = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
    }],
    try(local.object_statements[f], []),
  ) }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name = "${var.name}-${each.key}-${local.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "work"
  role   = aws_iam_role.function[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

# What a target needs that takes the role's own credentials for a key (auth.sigv4 without keys), as Bedrock does.
resource "aws_iam_role_policy" "infer" {
  count = var.infer_policy_json == null ? 0 : 1

  name   = "targets"
  role   = aws_iam_role.function["infer"].name
  policy = var.infer_policy_json
}

# Lambda itself makes the network interfaces of a function in a VPC, with the function's role. The two Describe actions
# cannot be limited to a resource. The code of the function never needs any of them, and is denied all.
resource "aws_iam_role_policy" "network" {
  for_each = local.in_vpc ? local.functions : {}

  name = "network"
  role = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "LambdaFindsInterfaces", Effect = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        Resource = ["*"]
      },
      {
        Sid    = "LambdaMakesInterfaces", Effect = "Allow"
        Action = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
        Resource = [
          "${local.arn.ec2}:network-interface/*", "${local.arn.ec2}:subnet/*", "${local.arn.ec2}:security-group/*",
        ]
      },
      {
        Sid       = "TheCodeDoesNot", Effect = "Deny"
        Action    = ["ec2:*"]
        Resource  = ["*"]
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arns[each.key]] } }
      },
    ]
  })
}
