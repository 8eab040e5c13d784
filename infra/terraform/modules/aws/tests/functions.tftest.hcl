# The functions, how new versions of them reach the work, and their network.

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

run "four_functions_from_their_zip_files_on_arm" {
  command = plan

  assert {
    condition     = sort([for l in aws_lambda_function.function : basename(l.filename)]) == sort(["callback.zip", "infer.zip", "ingest.zip", "schedule.zip"])
    error_message = "A function has no zip file of its own."
  }
  assert {
    condition = alltrue([for l in aws_lambda_function.function :
      l.runtime == "provided.al2023" && l.handler == "bootstrap" && l.architectures == tolist(["arm64"]) && l.publish && l.source_code_hash != null
    ])
    error_message = "A function is not as it should be."
  }
}

run "each_is_told_where_the_queues_are_and_reads_the_file_that_made_them" {
  command = plan

  assert {
    condition = alltrue([for l in aws_lambda_function.function :
      l.environment[0].variables["BATON_SQS_URL"] == "https://sqs.eu-central-1.amazonaws.com/123456789012/baton" && l.environment[0].variables["BATON_CONFIG"] == "/opt/baton.yaml"
    ])
    error_message = "A function is not told where the queues are."
  }
  assert {
    condition     = one([for s in data.archive_file.config.source : s.content]) == file("tests/configs/one.yaml")
    error_message = "The layer does not hold the file that the queues were made by."
  }
}

run "retries_are_not_taken_for_an_endless_loop" {
  command = plan

  assert {
    condition     = { for f, r in aws_lambda_function_recursion_config.function : f => r.recursive_loop } == { ingest = "Allow", schedule = "Allow", infer = "Allow", callback = "Allow" }
    error_message = "Lambda would stop a request that is tried often."
  }
}

run "logs_are_kept_for_a_while_and_not_for_ever" {
  command = plan

  assert {
    condition     = alltrue([for g in concat(values(aws_cloudwatch_log_group.function), [aws_cloudwatch_log_group.api]) : g.retention_in_days == 14])
    error_message = "A log group has no retention."
  }
  assert {
    condition     = { for f, g in aws_cloudwatch_log_group.function : f => g.name } == { for f, l in aws_lambda_function.function : f => l.logging_config[0].log_group }
    error_message = "A function writes to a log group that is not managed."
  }
}

run "without_canary_an_apply_is_the_deploy" {
  command = plan

  assert {
    condition     = length(aws_lambda_alias.current) == 4 && length(aws_lambda_alias.live) == 0 && length(aws_codedeploy_app.functions) == 0
    error_message = "Aliases: ${jsonencode(keys(aws_lambda_alias.current))}"
  }
}

run "with_canary_codedeploy_shifts_ten_percent_for_five_minutes_and_rolls_back_on_an_alarm" {
  command = plan
  variables { canary = true }

  assert {
    condition = length(aws_codedeploy_deployment_group.function) == 4 && alltrue([for g in aws_codedeploy_deployment_group.function :
      g.deployment_config_name == "CodeDeployDefault.LambdaCanary10Percent5Minutes" && g.alarm_configuration[0].enabled &&
      g.auto_rollback_configuration[0].enabled && contains(g.auto_rollback_configuration[0].events, "DEPLOYMENT_STOP_ON_ALARM")
    ])
    error_message = "A function has no canary deploy."
  }
  assert {
    condition = alltrue(flatten([for g in aws_codedeploy_deployment_group.function : [
      for a in g.alarm_configuration[0].alarms : contains([for m in aws_cloudwatch_metric_alarm.alarm : m.alarm_name], a)
    ]]))
    error_message = "A deployment watches an alarm that there is not."
  }
  assert {
    condition     = alltrue([for f, g in aws_codedeploy_deployment_group.function : contains(g.alarm_configuration[0].alarms, "baton-function-errors-${f}")])
    error_message = "A deployment does not watch its function's errors."
  }
}

run "functions_and_valkey_are_in_private_subnets_of_two_zones" {
  command = plan

  assert {
    condition     = length(aws_subnet.private) == 2 && alltrue([for s in aws_subnet.private : s.map_public_ip_on_launch != true])
    error_message = "Zones: ${join(" ", keys(aws_subnet.private))}"
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : length(l.vpc_config) == 1])
    error_message = "A function is outside the network."
  }
  assert {
    condition     = length(aws_nat_gateway.zone) == 1 && length(aws_route.private) == 2
    error_message = "A zone has no way out."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.results["inside-6379"].from_port == 6379 && alltrue([for r in aws_vpc_security_group_ingress_rule.results : r.cidr_ipv4 == null && r.cidr_ipv6 == null])
    error_message = "Valkey answers more than the functions."
  }
}

run "each_zone_gets_its_nat_gateway_if_asked" {
  command = plan
  variables { network = { zones = 3, nat = "zonal", endpoints = ["sqs"] } }

  assert {
    condition     = length(aws_nat_gateway.zone) == 3 && length(aws_vpc_endpoint.service) == 1
    error_message = "NAT gateways: ${length(aws_nat_gateway.zone)}"
  }
}

run "a_network_of_yours_is_used_and_nothing_added_to_it_but_security_groups" {
  command = plan
  variables {
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
  }

  assert {
    condition     = length(aws_vpc.own) + length(aws_subnet.private) + length(aws_nat_gateway.zone) + length(aws_route.private) + length(aws_internet_gateway.own) == 0
    error_message = "A network is made all the same."
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : toset(l.vpc_config[0].subnet_ids) == toset(["subnet-1", "subnet-2"])])
    error_message = "A function is not in the given subnets."
  }
}

run "results_of_your_own_need_no_network" {
  command = plan
  variables {
    results = { mode = "external", redis_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/redis-AbCdEf" }
  }

  assert {
    condition     = length(aws_vpc.own) + length(aws_nat_gateway.zone) + length(aws_security_group.function) + length(aws_elasticache_serverless_cache.results) == 0
    error_message = "Something is made that costs while idle."
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : length(l.vpc_config) == 0])
    error_message = "A function is in a network."
  }
}

run "valkey_nodes_are_encrypted_spread_over_zones_and_forget_nothing" {
  command = plan
  variables {
    results = {
      mode  = "nodes", nodes = 3, node_type = "cache.r7g.large"
      night = { node_type = "cache.t4g.small", from = "cron(0 20 ? * * *)", until = "cron(0 6 ? * * *)", timezone = "Europe/Berlin" }
    }
  }

  assert {
    condition = (
      aws_elasticache_replication_group.results[0].engine == "valkey" && aws_elasticache_replication_group.results[0].num_cache_clusters == 3 &&
      aws_elasticache_replication_group.results[0].multi_az_enabled && aws_elasticache_replication_group.results[0].automatic_failover_enabled &&
      aws_elasticache_replication_group.results[0].transit_encryption_enabled && tobool(aws_elasticache_replication_group.results[0].at_rest_encryption_enabled)
    )
    error_message = "Valkey is not encrypted, or not spread."
  }
  assert {
    condition     = one([for p in aws_elasticache_parameter_group.results[0].parameter : p.value if p.name == "maxmemory-policy"]) == "noeviction"
    error_message = "Valkey would forget results."
  }
  assert {
    condition = { for k, s in aws_scheduler_schedule.node_type : k => [s.schedule_expression, s.schedule_expression_timezone, jsondecode(s.target[0].input).CacheNodeType] } == {
      night = ["cron(0 20 ? * * *)", "Europe/Berlin", "cache.t4g.small"], day = ["cron(0 6 ? * * *)", "Europe/Berlin", "cache.r7g.large"]
    }
    error_message = "The nodes do not change size by the clock."
  }
}
