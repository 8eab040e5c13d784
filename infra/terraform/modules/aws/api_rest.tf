# The door as a REST API, for the sake of a web ACL. Every path and method leads to ingest.

resource "aws_api_gateway_rest_api" "rest" {
  count = local.rest ? 1 : 0

  name                         = var.name
  description                  = "Baton"
  binary_media_types           = ["*/*"] # bodies pass as they are
  disable_execute_api_endpoint = var.api.domain != null

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  parent_id   = aws_api_gateway_rest_api.rest[0].root_resource_id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_method" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id   = aws_api_gateway_rest_api.rest[0].id
  resource_id   = aws_api_gateway_resource.rest[0].id
  http_method   = "ANY"
  authorization = "NONE" # callers are known by their Baton key, in ingest
}

resource "aws_api_gateway_integration" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id             = aws_api_gateway_rest_api.rest[0].id
  resource_id             = aws_api_gateway_resource.rest[0].id
  http_method             = aws_api_gateway_method.rest[0].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = local.alias["ingest"].invoke_arn
  timeout_milliseconds    = 29000
}

resource "aws_api_gateway_deployment" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  triggers = {
    what = sha1(jsonencode([
      aws_api_gateway_resource.rest[0].id, aws_api_gateway_method.rest[0].id, aws_api_gateway_integration.rest[0].id,
      local.alias["ingest"].invoke_arn,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id   = aws_api_gateway_rest_api.rest[0].id
  deployment_id = aws_api_gateway_deployment.rest[0].id
  stage_name    = "live"

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format          = jsonencode(local.access_log)
  }

  depends_on = [aws_api_gateway_account.region]
}

resource "aws_api_gateway_method_settings" "rest" {
  count = local.rest ? 1 : 0

  rest_api_id = aws_api_gateway_rest_api.rest[0].id
  stage_name  = aws_api_gateway_stage.rest[0].stage_name
  method_path = "*/*"

  settings {
    throttling_rate_limit  = var.api.rate
    throttling_burst_limit = var.api.burst
    metrics_enabled        = true
    logging_level          = "OFF" # the execution log would hold headers
    data_trace_enabled     = false
  }
}

# REST APIs write logs with one role for the account and region. It belongs to API Gateway as a whole, so it has AWS's
# own policy.
resource "aws_iam_role" "api_logs" {
  count = try(var.waf.manage_log_role, false) ? 1 : 0

  name = "${var.name}-api-logs-${local.region}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "apigateway.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "api_logs" {
  count = length(aws_iam_role.api_logs)

  role       = aws_iam_role.api_logs[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "region" {
  count = length(aws_iam_role.api_logs)

  cloudwatch_role_arn = aws_iam_role.api_logs[0].arn
  depends_on          = [aws_iam_role_policy_attachment.api_logs]
}
