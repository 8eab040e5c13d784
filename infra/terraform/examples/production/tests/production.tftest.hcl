# The production example: zones, key, web ACL, canary, alarms.

mock_provider "aws" {
  source = "../../modules/aws/tests/mocks"

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
  }
}
mock_provider "archive" {}

variables {
  packages            = "../../modules/aws/tests/packages"
  owner               = "team-platform"
  cost_center         = "4711"
  alarm_topic_arn     = "arn:aws:sns:eu-central-1:123456789012:on-call"
  budget              = { usd_a_month = 3000, emails = ["finance@example.com"] }
  account_concurrency = 3000
  domain              = { name = "baton.example.com", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0", zone_id = "Z1" }
  secrets = {
    for n in ["OPENAI_API_KEY", "AZURE_OPENAI_KEY", "LLAMA_KEY", "SEARCH_WHSEC", "CHAT_WHSEC"] :
    n => "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/${n}-AbCdEf"
  }
}

run "three_targets_of_two_models_make_seventeen_queues" {
  command = plan

  assert {
    condition     = length(output.queues) == 3 + 3 + 3 * 3 + 1 + 1 && output.endpoint == "https://baton.example.com"
    error_message = jsonencode(output.queues)
  }
}

run "every_alarm_has_its_entry_in_the_runbook" {
  command = plan

  assert {
    condition     = alltrue([for kind in values(output.alarms) : strcontains(file("../../../../docs/runbook.md"), "\n### ${kind}\n")])
    error_message = "docs/runbook.md lacks: ${join(", ", [for kind in distinct(values(output.alarms)) : kind if !strcontains(file("../../../../docs/runbook.md"), "\n### ${kind}\n")])}"
  }
}

run "it_can_be_made_whole" {
  assert {
    condition     = output.codedeploy == "baton" && alltrue([for f in output.functions : f.alias == "live"])
    error_message = jsonencode(output.functions)
  }
  assert {
    condition     = length(module.baton.network.subnet_ids) == 3 && length(module.baton.network.nat_ips) == 3
    error_message = jsonencode(module.baton.network)
  }
}

run "an_owner_is_required" {
  command = plan
  variables { owner = " " }
  expect_failures = [var.owner]
}

run "so_is_somebody_who_hears_of_alarms" {
  command = plan
  variables { alarm_topic_arn = "on-call" }
  expect_failures = [var.alarm_topic_arn]
}
