# The door as an HTTP API. Every route leads to ingest, which knows the paths. With a JWT authorizer everything is
# locked but the few pages that anyone may read: what is not listed is locked, so no spelling of a path goes around it.

locals {
  open_routes = ["GET /healthz", "GET /readyz", "GET /openapi.json", "GET /schemas/inference-request.json"]
  routes      = local.rest ? [] : concat(["$default"], var.api.jwt == null ? [] : local.open_routes)
}

resource "aws_apigatewayv2_api" "http" {
  count = local.rest ? 0 : 1

  name                         = var.name
  description                  = "Baton"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.api.domain != null
}

resource "aws_apigatewayv2_integration" "ingest" {
  count = local.rest ? 0 : 1

  api_id                 = aws_apigatewayv2_api.http[0].id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = local.alias["ingest"].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = local.rest || var.api.jwt == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.http[0].id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.${var.api.jwt.header}"]

  jwt_configuration {
    issuer   = var.api.jwt.issuer
    audience = var.api.jwt.audience
  }
}

resource "aws_apigatewayv2_route" "ingest" {
  for_each = toset(local.routes)

  api_id             = aws_apigatewayv2_api.http[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.ingest[0].id}"
  authorization_type = var.api.jwt != null && !contains(local.open_routes, each.key) ? "JWT" : "NONE"
  authorizer_id      = var.api.jwt != null && !contains(local.open_routes, each.key) ? aws_apigatewayv2_authorizer.jwt[0].id : null
}

resource "aws_apigatewayv2_stage" "http" {
  count = local.rest ? 0 : 1

  api_id      = aws_apigatewayv2_api.http[0].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.api.rate
    throttling_burst_limit   = var.api.burst
    detailed_metrics_enabled = false
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    format          = jsonencode(local.access_log)
  }
}
