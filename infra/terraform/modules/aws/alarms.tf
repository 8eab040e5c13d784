# Alarms: who hears of them, and how each is made from its entry in a list. The lists are in alarms_queues.tf,
# alarms_functions.tf, alarms_api.tf and alarms_results.tf. Every alarm says why it matters and what to do first;
# docs/runbook.md has an entry for each kind.
#
# An entry: kind (its heading in the runbook), says, first; then either one metric (namespace, metric, dimensions,
# statistic) or an expression over the metrics a and b; and the threshold that it must not pass for so many minutes.

locals {
  alarms = merge(local.queue_alarms, local.function_alarms, local.api_alarms, local.results_alarms)
  topic  = var.alarms.topic_arn != null ? var.alarms.topic_arn : one(aws_sns_topic.alarms[*].arn)
}

resource "aws_sns_topic" "alarms" {
  count = length(var.alarms.emails) > 0 ? 1 : 0

  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarms.emails

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.says} First: ${each.value.first} More: docs/runbook.md, ${each.value.kind}."
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.topic])
  ok_actions          = compact([local.topic])

  # One metric.
  namespace          = each.value.expression == "" ? each.value.namespace : null
  metric_name        = each.value.expression == "" ? each.value.metric : null
  dimensions         = each.value.expression == "" ? each.value.dimensions : null
  statistic          = each.value.expression == "" && !startswith(each.value.statistic, "p") ? each.value.statistic : null
  extended_statistic = each.value.expression == "" && startswith(each.value.statistic, "p") ? each.value.statistic : null
  period             = each.value.expression == "" ? 60 : null

  # An expression over two.
  dynamic "metric_query" {
    for_each = each.value.expression == "" ? {} : { a = each.value.metric, b = each.value.per }
    content {
      id = metric_query.key
      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = each.value.statistic
        period      = 60
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == "" ? [] : [each.value.expression]
    content {
      id          = "e"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }
}
