# A name of your own for the API. The certificate must be in the same region. Without zone_id, make the DNS record
# yourself: an alias or CNAME to the output domain_target.

resource "aws_apigatewayv2_domain_name" "api" {
  count = var.api.domain == null ? 0 : 1

  domain_name = var.api.domain.name

  domain_name_configuration {
    certificate_arn = var.api.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "api" {
  count = var.api.domain == null ? 0 : 1

  domain_name = aws_apigatewayv2_domain_name.api[0].id
  api_id      = local.rest ? aws_api_gateway_rest_api.rest[0].id : aws_apigatewayv2_api.http[0].id
  stage       = local.rest ? aws_api_gateway_stage.rest[0].stage_name : aws_apigatewayv2_stage.http[0].id
}

resource "aws_route53_record" "api" {
  count = try(var.api.domain.zone_id, null) == null ? 0 : 1

  zone_id = var.api.domain.zone_id
  name    = var.api.domain.name
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.api[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.api[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
