# The door, in both its kinds.

mock_provider "aws" {
  source = "./tests/mocks"
}
mock_provider "archive" {}

variables {
  config   = "tests/configs/one.yaml"
  packages = "tests/packages"
  secrets = {
    ONE_KEY      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf"
    SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
  }
}

run "an_http_api_that_is_throttled" {
  command = plan
  variables { api = { rate = 50, burst = 80 } }

  assert {
    condition     = aws_apigatewayv2_stage.http[0].default_route_settings[0].throttling_rate_limit == 50 && aws_apigatewayv2_stage.http[0].default_route_settings[0].throttling_burst_limit == 80
    error_message = "The API is not throttled."
  }
  assert {
    condition     = keys(aws_apigatewayv2_route.ingest) == ["$default"] && aws_apigatewayv2_route.ingest["$default"].authorization_type == "NONE"
    error_message = "Routes: ${join(", ", keys(aws_apigatewayv2_route.ingest))}"
  }
  assert {
    condition     = aws_apigatewayv2_integration.ingest[0].payload_format_version == "2.0"
    error_message = "Ingest is sent another form of event."
  }
  assert {
    condition     = length(aws_api_gateway_rest_api.rest) + length(aws_wafv2_web_acl.api) == 0
    error_message = "There are two doors."
  }
}

run "the_access_log_holds_no_header_query_or_body" {
  command = plan

  assert {
    condition     = length(regexall("(?i)authoriz|header|query|body|token", aws_apigatewayv2_stage.http[0].access_log_settings[0].format)) == 0
    error_message = aws_apigatewayv2_stage.http[0].access_log_settings[0].format
  }
}

run "a_jwt_locks_everything_but_the_open_pages" {
  command = plan
  variables {
    api = { jwt = { issuer = "https://login.example.com/", audience = ["baton"] } }
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.jwt[0].identity_sources == toset(["$request.header.X-Gateway-Token"])
    error_message = "The token is read from elsewhere."
  }
  assert {
    condition     = [for k, r in aws_apigatewayv2_route.ingest : k if r.authorization_type != "JWT"] == ["GET /healthz", "GET /openapi.json", "GET /readyz", "GET /schemas/inference-request.json"]
    error_message = "Open: ${join(", ", [for k, r in aws_apigatewayv2_route.ingest : k if r.authorization_type != "JWT"])}"
  }
}

run "a_web_acl_comes_with_a_rest_api_which_is_what_waf_can_protect" {
  command = plan
  variables {
    waf = { requests_per_5_minutes = 2000 }
    api = { rate = 500, burst = 900 }
  }

  assert {
    condition     = length(aws_apigatewayv2_api.http) == 0 && length(aws_wafv2_web_acl_association.api) == 1 && aws_wafv2_web_acl.api[0].scope == "REGIONAL"
    error_message = "The web ACL protects nothing."
  }
  assert {
    condition     = aws_api_gateway_method_settings.rest[0].settings[0].throttling_rate_limit == 500 && aws_api_gateway_method_settings.rest[0].settings[0].logging_level == "OFF" && !aws_api_gateway_method_settings.rest[0].settings[0].data_trace_enabled
    error_message = "The REST API is not throttled, or writes headers to its log."
  }
  assert {
    condition     = length(regexall("(?i)authoriz|header|query|body|token", aws_api_gateway_stage.rest[0].access_log_settings[0].format)) == 0
    error_message = aws_api_gateway_stage.rest[0].access_log_settings[0].format
  }
  assert {
    condition     = contains(flatten([for f in aws_wafv2_web_acl_logging_configuration.api[0].redacted_fields : f.single_header[*].name]), "authorization")
    error_message = "The web ACL's log shows keys."
  }
  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.api[0].rule : !r.visibility_config[0].sampled_requests_enabled]) && !anytrue([for r in aws_wafv2_web_acl.api[0].rule : try(r.statement[0].managed_rule_group_statement[0].name, "") == "AWSManagedRulesCommonRuleSet"])
    error_message = "The web ACL shows keys in its samples, or takes prompts for attacks."
  }
}

run "the_log_role_of_the_region_can_be_left_to_others" {
  command = plan
  variables { waf = { manage_log_role = false } }

  assert {
    condition     = length(aws_api_gateway_account.region) + length(aws_iam_role.api_logs) == 0
    error_message = "The region's log role is set all the same."
  }
}

run "a_domain_of_your_own_closes_the_address_that_aws_gives" {
  command = plan
  variables {
    api = { domain = { name = "baton.example.com", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0", zone_id = "Z1" } }
  }

  assert {
    condition     = output.endpoint == "https://baton.example.com" && aws_apigatewayv2_api.http[0].disable_execute_api_endpoint && length(aws_route53_record.api) == 1
    error_message = output.endpoint
  }
  assert {
    condition     = strcontains(output.curl, "https://baton.example.com/v1/inferences") && strcontains(output.curl, "\"model_id\":\"small\"")
    error_message = output.curl
  }
}
