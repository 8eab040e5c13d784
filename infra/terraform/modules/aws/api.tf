# The door: which of the two kinds of API there is, and what they have in common.
#
# An HTTP API unless a web ACL is asked for: it costs less than a third, and can check a JWT. AWS WAF protects REST APIs
# only.

locals {
  rest = var.waf != null

  endpoint = (
    var.api.domain != null ? "https://${var.api.domain.name}" :
    local.rest ? aws_api_gateway_stage.rest[0].invoke_url :
    trimsuffix(aws_apigatewayv2_stage.http[0].invoke_url, "/")
  )

  # What is written of each request. No headers, so neither keys nor tokens; no query, no body.
  access_log = { for field, value in {
    requestId = "$context.requestId", time = "$context.requestTime", ip = "$context.identity.sourceIp"
    method    = "$context.httpMethod", path = "$context.path", protocol = "$context.protocol"
    status    = "$context.status", bytes = "$context.responseLength", latency = "$context.responseLatency"
    error     = "$context.error.message", integrationError = "$context.integrationErrorMessage"
  } : field => value if !(local.rest && field == "integrationError") }
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.retention.logs
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api-gateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["ingest"].function_name
  qualifier     = local.alias["ingest"].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.rest ? aws_api_gateway_rest_api.rest[0].execution_arn : aws_apigatewayv2_api.http[0].execution_arn}/*/*"
}
