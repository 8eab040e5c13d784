resource "aws_budgets_budget" "month" {
  count = var.budget == null ? 0 : 1

  name         = "${var.name}-${local.region}"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget.usd_a_month)
  limit_unit   = "USD"

  dynamic "cost_filter" {
    for_each = var.budget.only_tagged ? [1] : []
    content {
      name   = "TagKeyValue"
      values = [format("user:Project$%s", var.name)]
    }
  }

  notification {
    notification_type          = "ACTUAL"
    comparison_operator        = "GREATER_THAN"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.budget.emails
  }

  notification {
    notification_type          = "FORECASTED"
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.budget.emails
  }
}
