# What is refused before anything is made, and what is only warned of.

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

run "a_secret_that_nothing_maps_is_refused" {
  command = plan
  variables {
    secrets = { ONE_KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf" }
  }
  expect_failures = [terraform_data.preflight]
}

run "a_secret_that_nothing_reads_is_refused" {
  command = plan
  variables {
    secrets = {
      ONE_KEY      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf"
      SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
      SEARCH_WSHEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
    }
  }
  expect_failures = [terraform_data.preflight]
}

run "a_secret_itself_in_place_of_its_arn_is_refused" {
  command = plan
  variables {
    secrets = { ONE_KEY = "sk-1234", SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf" }
  }
  expect_failures = [var.secrets]
}

run "a_target_slower_than_infer_is_refused" {
  command = plan
  variables {
    config  = "tests/configs/slow.yaml"
    secrets = {}
  }
  expect_failures = [terraform_data.preflight]
}

run "and_taken_when_infer_is_given_the_time" {
  command = plan
  variables {
    config    = "tests/configs/slow.yaml"
    secrets   = {}
    functions = { infer = { timeout = 615 } }
  }
  assert {
    condition     = aws_sqs_queue.lane["infer-high-slow"].visibility_timeout_seconds == 3690
    error_message = "The visibility timeout does not follow."
  }
}

run "a_target_slower_than_lambda_is_refused_whatever_infer_is_given" {
  command = plan
  variables {
    config    = "tests/configs/endless.yaml"
    secrets   = {}
    functions = { infer = { timeout = 900 } }
  }
  expect_failures = [terraform_data.preflight]
}

run "a_simulated_target_is_refused" {
  command = plan
  variables {
    config  = "tests/configs/simulated.yaml"
    secrets = {}
  }
  expect_failures = [terraform_data.preflight]
}

run "a_target_at_the_edge_is_refused" {
  command = plan
  variables {
    config  = "tests/configs/edge.yaml"
    secrets = {}
  }
  expect_failures = [terraform_data.preflight]
}

run "ways_in_and_out_over_nats_and_kafka_are_warned_of" {
  command = plan
  variables { config = "tests/configs/elsewhere.yaml" }
  expect_failures = [check.every_way_in_and_out_is_there]
}

run "senders_to_a_queue_that_there_is_not_are_refused" {
  command = plan
  variables { intake_senders = { search = ["arn:aws:iam::210987654321:root"] } }
  expect_failures = [terraform_data.preflight]
}

run "anybody_as_a_sender_is_refused" {
  command = plan
  variables {
    config         = "tests/configs/doors.yaml"
    intake_senders = { search = ["*"] }
  }
  expect_failures = [var.intake_senders]
}

run "a_bucket_that_is_a_url_is_refused" {
  command = plan
  variables { objects = { bucket = "s3://mine" } }
  expect_failures = [var.objects]
}

run "a_prefix_with_a_slash_at_its_end_is_refused" {
  command = plan
  variables { objects = { prefix = "baton/" } }
  expect_failures = [var.objects]
}

run "a_policy_that_is_none_is_refused" {
  command = plan
  variables { infer_policy_json = "bedrock:InvokeModel" }
  expect_failures = [var.infer_policy_json]
}

run "a_secret_in_a_file_is_refused" {
  command = plan
  variables {
    config  = "tests/configs/files.yaml"
    secrets = {}
  }
  expect_failures = [terraform_data.preflight]
}

run "a_queue_name_over_80_characters_is_refused" {
  command = plan
  variables {
    config  = "tests/configs/long.yaml"
    secrets = {}
  }
  expect_failures = [terraform_data.preflight]
}

run "missing_zip_files_are_refused" {
  command = plan
  variables { packages = "tests/configs" }
  expect_failures = [terraform_data.preflight]
}

run "more_work_at_once_than_the_account_allows_is_warned_of" {
  command = plan
  variables {
    alarms = { account_concurrency = 100 }
  }
  expect_failures = [check.the_account_allows_what_the_queues_may_run]
}

run "a_target_too_narrow_for_sqs_is_warned_of" {
  command = plan
  variables {
    config  = "tests/configs/narrow.yaml"
    secrets = {}
  }
  expect_failures = [check.targets_are_wide_enough_for_their_three_queues]
}

run "budgets_in_a_valkey_that_forgets_are_warned_of" {
  command = plan
  variables { config = "tests/configs/policies.yaml" }
  expect_failures = [check.what_tenants_spent_is_not_forgotten]
}

run "and_not_in_one_that_refuses" {
  command = plan
  variables {
    config  = "tests/configs/policies.yaml"
    results = { mode = "nodes" }
  }
  assert {
    condition     = one([for p in aws_elasticache_parameter_group.results[0].parameter : p.value if p.name == "maxmemory-policy"]) == "noeviction"
    error_message = "Valkey would forget what was spent."
  }
}

run "nor_in_one_of_your_own" {
  command = plan
  variables {
    config  = "tests/configs/policies.yaml"
    results = { mode = "external", redis_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/redis-AbCdEf" }
  }
}

run "a_name_that_queues_cannot_have_is_refused" {
  command = plan
  variables { name = "Baton_1" }
  expect_failures = [var.name]
}

run "a_timeout_over_that_of_lambda_is_refused" {
  command = plan
  variables { functions = { ingest = { timeout = 901 } } }
  expect_failures = [var.functions]
}

run "a_jwt_in_the_header_of_the_baton_key_is_refused" {
  command = plan
  variables {
    api = { jwt = { issuer = "https://login.example.com/", audience = ["baton"], header = "Authorization" } }
  }
  expect_failures = [var.api]
}

run "a_jwt_with_a_web_acl_is_refused" {
  command = plan
  variables {
    api = { jwt = { issuer = "https://login.example.com/", audience = ["baton"] } }
    waf = {}
  }
  expect_failures = [var.waf]
}

run "one_valkey_node_is_refused" {
  command = plan
  variables { results = { mode = "nodes", nodes = 1 } }
  expect_failures = [var.results]
}

run "an_external_store_without_its_secret_is_refused" {
  command = plan
  variables { results = { mode = "external" } }
  expect_failures = [var.results]
}

run "one_zone_is_refused" {
  command = plan
  variables { network = { zones = 1 } }
  expect_failures = [var.network]
}

run "a_vpc_without_subnets_is_refused" {
  command = plan
  variables { network = { vpc_id = "vpc-1" } }
  expect_failures = [var.network]
}

run "retention_under_four_days_is_refused" {
  command = plan
  variables { retention = { messages = 3 } }
  expect_failures = [var.retention]
}

run "a_budget_that_nobody_hears_of_is_refused" {
  command = plan
  variables { budget = { usd_a_month = 100, emails = [] } }
  expect_failures = [var.budget]
}

run "an_alias_of_a_key_is_refused" {
  command = plan
  variables { kms_key_arn = "alias/baton" }
  expect_failures = [var.kms_key_arn]
}
