# The four functions, each from its own zip file, with baton.yaml in a layer: so the file that made the queues is the
# one that the functions read, and a change of it is a new version of every function, rolled out like one.

data "archive_file" "config" {
  type        = "zip"
  output_path = "${path.root}/.terraform/${var.name}-config.zip"

  source {
    filename = "baton.yaml"
    content  = file(var.config)
  }
}

resource "aws_lambda_layer_version" "config" {
  layer_name       = "${var.name}-config"
  description      = "baton.yaml"
  filename         = data.archive_file.config.output_path
  source_code_hash = data.archive_file.config.output_base64sha256
}

locals {
  redis_url = {
    serverless = try("rediss://${aws_elasticache_serverless_cache.results[0].endpoint[0].address}:6379", "")
    nodes      = try("rediss://${aws_elasticache_replication_group.results[0].primary_endpoint_address}:6379", "")
    external   = ""
  }[var.results.mode]

  environment = merge(
    {
      BATON_CONFIG  = "/opt/baton.yaml"
      BATON_SQS_URL = "https://sqs.${local.region}.${data.aws_partition.here.dns_suffix}/${local.account}/${var.name}"
      BATON_LOG     = "info"
    },
    local.objects ? { BATON_OBJECTS = "s3://${local.bucket}${var.objects.prefix == "" ? "" : "/${var.objects.prefix}"}" } : {},
    var.results.mode == "external" ? { BATON_REDIS_URL_ARN = var.results.redis_url_secret_arn } : { BATON_REDIS_URL = local.redis_url },
  )
}

resource "aws_lambda_function" "function" {
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  description      = "Baton: ${each.key}"
  role             = aws_iam_role.function[each.key].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = ["arm64"]
  filename         = "${var.packages}/${each.key}.zip"
  source_code_hash = try(filebase64sha256("${var.packages}/${each.key}.zip"), null)
  layers           = [aws_lambda_layer_version.config.arn]
  memory_size      = each.value.memory
  timeout          = each.value.timeout
  publish          = true

  # A floor for the door, so that full queues cannot take all of the account's concurrency from it. The queues
  # themselves are held back by their mappings: a function that is only reserved drops what comes over it, and uses up
  # receives.
  reserved_concurrent_executions = each.key == "ingest" ? coalesce(var.functions.ingest.reserved, -1) : -1

  environment {
    variables = merge(local.environment, { for n in each.value.secrets : "${n}_ARN" => try(var.secrets[n], "") })
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [1] : []
    content {
      subnet_ids         = local.subnet_ids
      security_group_ids = [aws_security_group.function[each.value.internet ? "outside" : "inside"].id]
    }
  }

  # Lambda's own lines (start, end, report) would be three an invocation and most of the logs' cost; metrics say the same.
  logging_config {
    log_format       = "JSON"
    log_group        = aws_cloudwatch_log_group.function[each.key].name
    system_log_level = "WARN"
  }

  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy.network, terraform_data.preflight]
}

# A request that is tried again passes the same functions again, more often than the 16 times after which Lambda takes
# it for an endless loop and throws the event away. Baton counts the hops of an event itself, and sets one aside that
# has too many.
resource "aws_lambda_function_recursion_config" "function" {
  for_each = { for f, spec in local.functions : f => spec if length(spec.takes) > 0 }

  function_name  = aws_lambda_function.function[each.key].function_name
  recursive_loop = "Allow"
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.retention.logs
  kms_key_id        = var.kms_key_arn
}
