# The small example: complete, and cheap while idle.

mock_provider "aws" {
  source = "../../modules/aws/tests/mocks"
}
mock_provider "archive" {}

variables {
  packages     = "../../modules/aws/tests/packages"
  alarm_emails = ["oncall@example.com"]
  secrets = {
    OPENAI_API_KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/OPENAI_API_KEY-AbCdEf"
    DEMO_WHSEC     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/DEMO_WHSEC-AbCdEf"
  }
}

run "a_queue_for_each_lane_and_one_for_dead_letters" {
  command = plan

  assert {
    condition     = length(output.queues) == 11 && output.queues["infer-high-openai"] == "baton-infer-high-openai" && output.queues["dead"] == "baton-dead"
    error_message = jsonencode(output.queues)
  }
  assert {
    condition     = output.sqs_url == "https://sqs.eu-central-1.amazonaws.com/123456789012/baton"
    error_message = output.sqs_url
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
    condition     = strcontains(output.curl, "${output.endpoint}/v1/inferences")
    error_message = output.curl
  }
  assert {
    condition     = output.codedeploy == null && alltrue([for f in output.functions : f.alias == "current"])
    error_message = jsonencode(output.functions)
  }
}

run "with_a_redis_of_yours_nothing_is_paid_by_the_hour" {
  command = plan
  variables {
    redis_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/redis-AbCdEf"
  }

  assert {
    condition     = module.baton.network.vpc_id == null && length(module.baton.network.nat_ips) == 0
    error_message = "A network is made."
  }
  assert {
    condition     = length([for kind in values(output.alarms) : kind if startswith(kind, "valkey")]) == 0
    error_message = "Valkey is made."
  }
}
