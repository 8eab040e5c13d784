# Canary deploys. An apply publishes new versions and moves nothing. infra/terraform/release starts a deployment of each
# function that has one: 10 % of its work goes to the new version for five minutes, then all. An alarm of the function
# in that time takes it back.

locals {
  canaries = var.canary ? local.functions : {}

  # The alarms that a bad version of the function would set off. Not dead-letters: it rings as long as one lies there,
  # and a release does not begin while one of its alarms rings.
  rollback_alarms = { for f in keys(local.functions) : f => concat(
    ["${var.name}-function-errors-${f}"],
    f == "ingest" ? ["${var.name}-api-5xx"] : ["${var.name}-dead-letters-rising"],
  ) }
}

resource "aws_codedeploy_app" "functions" {
  count = var.canary ? 1 : 0

  name             = var.name
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_group" "function" {
  for_each = local.canaries

  app_name               = aws_codedeploy_app.functions[0].name
  deployment_group_name  = "${var.name}-${each.key}"
  deployment_config_name = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
  service_role_arn       = aws_iam_role.codedeploy[0].arn

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  alarm_configuration {
    enabled = true
    alarms  = local.rollback_alarms[each.key]
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }

  depends_on = [aws_cloudwatch_metric_alarm.alarm]
}

resource "aws_iam_role" "codedeploy" {
  count = var.canary ? 1 : 0

  name = "${var.name}-codedeploy-${local.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "codedeploy" {
  count = var.canary ? 1 : 0

  name = "shift-aliases"
  role = aws_iam_role.codedeploy[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "MoveAliases", Effect = "Allow"
        Action   = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
        Resource = flatten([for arn in values(local.function_arns) : [arn, "${arn}:live"]])
      },
      {
        Sid      = "ReadAlarms", Effect = "Allow"
        Action   = ["cloudwatch:DescribeAlarms"]
        Resource = ["${local.arn.cloudwatch}:alarm:*"]
      },
    ]
  })
}
