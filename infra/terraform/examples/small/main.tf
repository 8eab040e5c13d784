# Baton for a start: one region, two zones, the defaults. Idle, it costs what docs/cost.md says: nearly all of it is the
# NAT gateway.

module "baton" {
  source = "../../modules/aws"

  name     = var.name
  config   = "${path.module}/baton.yaml"
  packages = coalesce(var.packages, "${path.module}/../../../../dist/lambda/arm64")
  secrets  = var.secrets

  results = var.redis_url_secret_arn == null ? { mode = "serverless" } : { mode = "external", redis_url_secret_arn = var.redis_url_secret_arn }

  # The p99 alarm is off: at a few requests an hour, one cold start is the 99th percentile.
  alarms = { emails = var.alarm_emails, latency_p99_ms = 0 }
  budget = length(var.alarm_emails) > 0 ? { usd_a_month = 100, emails = var.alarm_emails } : null
}
