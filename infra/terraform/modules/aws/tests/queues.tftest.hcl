# Which queues there are, and what holds for each of them.

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

run "one_model" {
  command = plan

  assert {
    condition = sort([for q in aws_sqs_queue.lane : q.name]) == sort([
      "baton-schedule-high", "baton-schedule-normal", "baton-schedule-low",
      "baton-infer-high-main", "baton-infer-normal-main", "baton-infer-low-main",
      "baton-callback-high", "baton-callback-normal", "baton-callback-low", "baton-batch-low",
    ])
    error_message = "Queues: ${join(" ", [for q in aws_sqs_queue.lane : q.name])}"
  }
  assert {
    condition     = aws_sqs_queue.dead.name == "baton-dead"
    error_message = aws_sqs_queue.dead.name
  }
}

run "a_new_model_adds_exactly_its_queues_and_mappings" {
  command = plan
  variables { config = "tests/configs/two.yaml" }

  assert {
    condition     = setsubtract(keys(aws_sqs_queue.lane), keys(run.one_model.queues)) == toset(["infer-high-big", "infer-normal-big", "infer-low-big"])
    error_message = "Added: ${join(" ", setsubtract(keys(aws_sqs_queue.lane), keys(run.one_model.queues)))}"
  }
  assert {
    condition     = length(setsubtract(keys(run.one_model.queues), concat(keys(aws_sqs_queue.lane), ["dead"]))) == 0
    error_message = "A queue of the smaller file is gone."
  }
  assert {
    condition     = keys(aws_lambda_event_source_mapping.lane) == keys(aws_sqs_queue.lane)
    error_message = "Not every queue has its mapping."
  }
}

run "a_tenants_own_door_is_a_queue_with_its_mapping_to_ingest" {
  command = plan
  variables { config = "tests/configs/doors.yaml" }

  assert {
    condition     = setsubtract(keys(aws_sqs_queue.lane), keys(run.one_model.queues)) == toset(["in-search"]) && aws_sqs_queue.lane["in-search"].name == "baton-in-search"
    error_message = jsonencode(keys(aws_sqs_queue.lane))
  }
  assert {
    condition     = local.mappings["in-search"] == { hop = "in", batch = 10, maximum = 10 } && jsondecode(aws_sqs_queue.lane["in-search"].redrive_policy).maxReceiveCount == 1000
    error_message = "A message that waits for its tenant's rate would be set aside, or too many come at once."
  }
  assert {
    condition     = output.intakes == { search = { url = "https://sqs.eu-central-1.amazonaws.com/123456789012/baton-in-search", arn = "arn:aws:sqs:eu-central-1:123456789012:baton-in-search" } }
    error_message = jsonencode(output.intakes)
  }
  assert {
    condition     = length(aws_sqs_queue_policy.intake) == 0
    error_message = "Others than the account's own may send there."
  }
}

run "who_may_send_there_from_another_account_is_named" {
  command = plan
  variables {
    config         = "tests/configs/doors.yaml"
    intake_senders = { search = ["arn:aws:iam::210987654321:role/search"] }
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.intake["in-search"].policy).Statement[0] == {
      Sid       = "Senders", Effect = "Allow", Action = ["sqs:SendMessage"]
      Principal = { AWS = ["arn:aws:iam::210987654321:role/search"] }
      Resource  = ["arn:aws:sqs:eu-central-1:123456789012:baton-in-search"]
      Condition = { Bool = { "aws:SecureTransport" = "true" } }
    }
    error_message = aws_sqs_queue_policy.intake["in-search"].policy
  }
}

run "the_steps_of_batches_are_taken_one_at_a_time_by_few" {
  command = plan

  assert {
    condition     = local.mappings["batch-low"] == { hop = "batch", batch = 1, maximum = 4 }
    error_message = jsonencode(local.mappings["batch-low"])
  }
}

run "every_queue_has_the_dead_letter_queue_and_at_least_five_receives_before_it" {
  command = plan
  variables { config = "tests/configs/two.yaml" }

  assert {
    condition = alltrue([for q in aws_sqs_queue.lane :
      jsondecode(q.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-central-1:123456789012:baton-dead" && jsondecode(q.redrive_policy).maxReceiveCount >= 5
    ])
    error_message = jsonencode([for q in aws_sqs_queue.lane : q.redrive_policy])
  }
}

run "a_message_stays_hidden_for_six_times_its_functions_timeout" {
  command = plan
  variables {
    config    = "tests/configs/two.yaml"
    functions = { infer = { timeout = 900 }, callback = { timeout = 45 } }
  }

  assert {
    condition     = alltrue([for k, q in aws_sqs_queue.lane : q.visibility_timeout_seconds >= 6 * aws_lambda_function.function[local.worker[split("-", k)[0]]].timeout])
    error_message = jsonencode({ for k, q in aws_sqs_queue.lane : k => q.visibility_timeout_seconds })
  }
  assert {
    condition     = aws_sqs_queue.lane["infer-low-big"].visibility_timeout_seconds == 5400 && aws_sqs_queue.lane["callback-low"].visibility_timeout_seconds == 270
    error_message = "The visibility timeout does not follow the function's timeout."
  }
}

run "messages_are_kept_four_days_and_dead_letters_fourteen" {
  command = plan

  assert {
    condition     = alltrue([for q in aws_sqs_queue.lane : q.message_retention_seconds >= 345600]) && aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "Retention is too short."
  }
}

run "every_queue_is_encrypted_with_a_key_of_aws" {
  command = plan

  assert {
    condition     = alltrue([for q in concat(values(aws_sqs_queue.lane), [aws_sqs_queue.dead]) : q.sqs_managed_sse_enabled])
    error_message = "A queue is not encrypted."
  }
}

run "or_with_yours" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }

  assert {
    condition     = alltrue([for q in concat(values(aws_sqs_queue.lane), [aws_sqs_queue.dead]) : q.kms_master_key_id == var.kms_key_arn])
    error_message = "A queue is not encrypted with the given key."
  }
  assert {
    condition = alltrue([for p in aws_iam_role_policy.function :
      length([for s in jsondecode(p.policy).Statement : s if contains(s.Action, "kms:Decrypt") && s.Resource == [var.kms_key_arn]]) == 1
    ])
    error_message = "A function may not use the key."
  }
  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.function : g.kms_key_id == var.kms_key_arn]) && aws_elasticache_serverless_cache.results[0].kms_key_id == var.kms_key_arn
    error_message = "A log group or Valkey is not encrypted with the given key."
  }
}

run "each_mapping_answers_with_the_failed_items_and_has_a_limit_of_its_own" {
  command = plan
  variables { config = "tests/configs/two.yaml" }

  assert {
    condition = alltrue([for m in aws_lambda_event_source_mapping.lane :
      contains(m.function_response_types, "ReportBatchItemFailures") && m.scaling_config[0].maximum_concurrency >= 2 && m.scaling_config[0].maximum_concurrency <= 1000
    ])
    error_message = "A mapping has no partial batch response or no limit."
  }
  assert {
    condition     = alltrue([for f, l in aws_lambda_function.function : l.reserved_concurrent_executions == -1])
    error_message = "A function has reserved concurrency that nobody asked for."
  }
}

run "calls_at_once_never_exceed_the_targets_concurrency_by_lane" {
  command = plan
  variables { config = "tests/configs/two.yaml" }

  assert {
    condition = alltrue([for k, m in aws_lambda_event_source_mapping.lane :
      m.batch_size * m.scaling_config[0].maximum_concurrency <= max(2, local.lanes[k].calls) if local.lanes[k].hop == "infer"
    ])
    error_message = jsonencode(local.mappings)
  }
  assert {
    condition     = [for p in ["high", "normal", "low"] : local.mappings["infer-${p}-main"]] == [for n in [40, 15, 5] : { hop = "infer", batch = 1, maximum = n }]
    error_message = jsonencode(local.mappings)
  }
  assert {
    condition     = local.mappings["infer-high-big"] == { hop = "infer", batch = 10, maximum = 50 } && local.mappings["infer-low-big"] == { hop = "infer", batch = 1, maximum = 62 }
    error_message = jsonencode(local.mappings)
  }
}

run "a_canary_and_a_shadow_have_queues_and_limits_of_their_own_and_a_group_has_none" {
  command = plan
  variables {
    config  = "tests/configs/policies.yaml"
    results = { mode = "nodes" }
  }

  assert {
    condition = toset([for k in keys(aws_lambda_event_source_mapping.lane) : k if startswith(k, "infer-")]) == toset(flatten([
      for p in ["high", "normal", "low"] : [for t in ["main", "next", "copied"] : "infer-${p}-${t}"]
    ]))
    error_message = jsonencode(keys(aws_lambda_event_source_mapping.lane))
  }
  assert {
    condition     = [for p in ["high", "normal", "low"] : aws_lambda_event_source_mapping.lane["infer-${p}-copied"].scaling_config[0].maximum_concurrency] == [8, 3, 2]
    error_message = jsonencode(local.mappings)
  }
}

run "the_lanes_of_a_target_have_little_more_invocations_than_it_has_places" {
  command = plan
  variables { config = "tests/configs/two.yaml" }

  assert {
    condition = alltrue([for name, t in module.catalog.targets :
      sum([for k, m in local.mappings : m.batch * m.maximum if local.lanes[k].target == name]) <= 1.5 * t.concurrency
    ])
    error_message = jsonencode(local.mappings)
  }
}

run "the_largest_target_stays_within_what_sqs_allows" {
  command = plan
  variables {
    config  = "tests/configs/wide.yaml"
    secrets = {}
    alarms  = { account_concurrency = 10000 }
  }

  assert {
    condition     = alltrue([for k, m in local.mappings : m.maximum == 1000 && m.batch == 10 if m.hop == "infer"])
    error_message = jsonencode(local.mappings)
  }
}

run "a_retired_target_keeps_its_queues_and_is_still_worked_off" {
  command = plan
  variables { retired_targets = ["old"] }

  assert {
    condition     = alltrue([for p in ["high", "normal", "low"] : contains(keys(aws_sqs_queue.lane), "infer-${p}-old") && contains(keys(aws_lambda_event_source_mapping.lane), "infer-${p}-old")])
    error_message = "Queues: ${join(" ", keys(aws_sqs_queue.lane))}"
  }
}
