# Baton for a team on call: three zones with a NAT gateway each, Valkey nodes in all of them, a web ACL, a key of your
# own, canary deploys that roll themselves back, alarms to your on-call tool, a budget.

module "baton" {
  source = "../../modules/aws"

  name     = var.name
  config   = "${path.module}/baton.yaml"
  packages = coalesce(var.packages, "${path.module}/../../../../dist/lambda/arm64")
  secrets  = var.secrets

  functions = {
    # A floor for the door, whatever the queues use.
    ingest   = { memory = 512, reserved = 200 }
    schedule = { memory = 512, concurrency = 50 }
    infer    = { timeout = 180 }
    callback = { concurrency = 150 }
  }

  api    = { rate = 1500, burst = 3000, domain = var.domain }
  waf    = { requests_per_5_minutes = 100000 } # callers are services: hundreds of requests a second from one address are usual
  canary = true

  network = { zones = 3, nat = "zonal", endpoints = ["sqs"] }
  results = {
    mode      = "nodes"
    nodes     = 3
    node_type = "cache.r7g.large"
    # By night a smaller node holds the same results. Leave night out if your nights are busy.
    night = { node_type = "cache.m7g.large", from = "cron(0 21 ? * * *)", until = "cron(0 5 ? * * *)", timezone = "Europe/Berlin" }
  }

  kms_key_arn = aws_kms_key.baton.arn
  retention   = { messages = 7, logs = 30 }

  alarms = { topic_arn = var.alarm_topic_arn, account_concurrency = var.account_concurrency }
  budget = { usd_a_month = var.budget.usd_a_month, emails = var.budget.emails }
}
