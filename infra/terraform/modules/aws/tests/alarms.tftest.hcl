# The alarms and the budget.

mock_provider "aws" {
  source = "./tests/mocks"
}
mock_provider "archive" {}

variables {
  config   = "tests/configs/one.yaml"
  packages = "tests/packages"
  alarms   = { emails = ["oncall@example.com"] }
  secrets = {
    ONE_KEY      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf"
    SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
  }
}

run "there_is_an_alarm_for_everything_that_can_go_wrong" {
  command = plan

  assert {
    condition = sort(distinct(values(output.alarms))) == sort([
      "dead-letters", "dead-letters-rising", "oldest-message", "callback-backlog", "function-errors", "function-throttles",
      "concurrency", "api-5xx", "api-latency", "valkey-memory", "valkey-throttled",
    ])
    error_message = jsonencode(distinct(values(output.alarms)))
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.alarm["dead-letters"].dimensions["QueueName"] == "baton-dead"
    error_message = "The first dead letter rings no alarm."
  }
}

run "every_queue_has_an_alarm_for_its_oldest_message" {
  command = plan

  assert {
    condition     = toset([for k, a in aws_cloudwatch_metric_alarm.alarm : a.dimensions["QueueName"] if startswith(k, "oldest-message")]) == toset([for q in aws_sqs_queue.lane : q.name])
    error_message = "A queue has no alarm."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.alarm["oldest-message-schedule-high"].threshold == 60 &&
      aws_cloudwatch_metric_alarm.alarm["oldest-message-infer-normal-main"].threshold == 360 &&
      aws_cloudwatch_metric_alarm.alarm["oldest-message-callback-low"].threshold == 41400
    )
    error_message = "A call's own time, or a callback's longest delay, is taken for waiting."
  }
}

run "every_alarm_says_why_and_what_to_do_first_and_reaches_somebody" {
  command = plan

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.alarm : can(regex("^[A-Z].+[.] First: .+[.] More: docs/runbook[.]md, [a-z0-9-]+[.]$", a.alarm_description)) && length(a.alarm_description) <= 1024])
    error_message = jsonencode([for a in aws_cloudwatch_metric_alarm.alarm : a.alarm_description])
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1 && length(aws_sns_topic.alarms) == 1
    error_message = "Nobody hears of an alarm."
  }
}

run "a_topic_of_yours_is_told" {
  command = plan
  variables { alarms = { topic_arn = "arn:aws:sns:eu-central-1:123456789012:oncall" } }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && alltrue([for a in aws_cloudwatch_metric_alarm.alarm : a.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:oncall"]) && a.ok_actions == a.alarm_actions])
    error_message = "An alarm does not tell the topic."
  }
}

run "rates_are_computed_and_percentiles_asked_for" {
  command = plan

  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.alarm["function-errors-infer"].metric_query : q.expression if q.id == "e"]) == "100 * a / MAX([b, 1])" && length(aws_cloudwatch_metric_alarm.alarm["function-errors-infer"].metric_query) == 3
    error_message = "Errors are not counted as a rate."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["api-latency"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.alarm["api-latency"].threshold == 500 && aws_cloudwatch_metric_alarm.alarm["api-latency"].evaluation_periods == 2
    error_message = "The 99th percentile over 500 ms for two minutes rings no alarm."
  }
}

run "latency_can_be_left_out_where_callers_wait_in_the_request" {
  command = plan
  variables { alarms = { latency_p99_ms = 0 } }

  assert {
    condition     = !contains(values(output.alarms), "api-latency")
    error_message = "There is an alarm for latency all the same."
  }
}

run "every_valkey_node_has_alarms_for_memory_and_processor" {
  command = plan
  variables { results = { mode = "nodes", nodes = 2 } }

  assert {
    condition = sort([for k, a in aws_cloudwatch_metric_alarm.alarm : "${a.dimensions["CacheClusterId"]} ${a.metric_name}" if startswith(k, "valkey")]) == sort([
      "baton-results-001 DatabaseMemoryUsagePercentage", "baton-results-001 EngineCPUUtilization",
      "baton-results-002 DatabaseMemoryUsagePercentage", "baton-results-002 EngineCPUUtilization",
    ])
    error_message = jsonencode(keys(aws_cloudwatch_metric_alarm.alarm))
  }
}

run "a_budget_warns_of_what_was_spent_and_what_will_be" {
  command = plan
  variables { budget = { usd_a_month = 150, emails = ["finance@example.com"], only_tagged = true } }

  assert {
    condition     = aws_budgets_budget.month[0].limit_amount == "150" && sort([for n in aws_budgets_budget.month[0].notification : n.notification_type]) == sort(["ACTUAL", "FORECASTED"])
    error_message = "The budget does not warn."
  }
  assert {
    condition     = one([for f in aws_budgets_budget.month[0].cost_filter : join(" ", f.values)]) == "user:Project$baton"
    error_message = "The budget counts something else."
  }
}
