output "lanes" {
  description = "Every lane of work, by its name (schedule-high, infer-low-openai-main): its hop, priority, target, and calls, which is how many calls of the target the lane may have at once (0 where there is no target)."
  value       = local.lanes

  precondition {
    condition     = length(local.listed) == length(distinct(local.listed[*].name))
    error_message = "${var.config} has two targets of one name: give every target of the file its own. Names: ${join(", ", sort(local.listed[*].name))}."
  }
  precondition {
    condition     = alltrue([for t in local.listed : can(regex("^[a-z0-9_-]{1,64}$", t.name))])
    error_message = "${var.config} has a target whose name cannot be part of a queue's name: use 1 to 64 of a-z, 0-9, - and _."
  }
  precondition {
    condition     = length(local.listed) > 0
    error_message = "${var.config} has no target: give each model one place at least where it can be called; a group needs models that have targets."
  }
}

output "targets" {
  description = "Every target by its name: model, api, concurrency (calls at once, from all processes together), timeout (of one call, in seconds), edge (it is called by \"baton edge\" in another place)."
  value       = { for name, t in local.targets : name => { model = t.model, api = t.api, concurrency = t.concurrency, timeout = t.timeout, edge = t.edge } }
}

output "intakes" {
  description = "The tenants whose requests are taken from a queue of SQS too, each with the priority that its requests have unless they say another."
  value       = { for name, tenant in local.tenants : name => try(tostring(tenant.priority), "normal") if try(tobool(tenant.intake.sqs), false) }
}

output "callback_queues" {
  description = "The names of the SQS queues that tenants' results may go to: those in sqs://NAME."
  value       = sort(distinct([for q in local.callback_queues : trimprefix(q, "sqs://") if startswith(q, "sqs://")]))
}

output "needs_nats" {
  description = "The tenants that have a way in or out which is NATS's."
  value = sort([for name, tenant in local.tenants : name
    if try(tobool(tenant.intake.nats), false) || anytrue([for q in try(tenant.callback_queues, []) : startswith(tostring(q), "nats://")])
  ])
}

output "needs_kafka" {
  description = "The tenants whose requests are taken from topics of Kafka."
  value       = sort([for name, tenant in local.tenants : name if length(try(tenant.intake.kafka, [])) > 0])
}

output "budgets" {
  description = "The tenants that have a budget. What they spent is kept in Redis or Valkey, which must not forget it."
  value       = local.budgets
}

output "secrets" {
  description = "The environment variables that infer and callback read secrets from: the names in env:NAME."
  value       = { for f, list in local.references : f => sort([for r in list : trimprefix(r, "env:") if startswith(r, "env:")]) }
}

output "secret_files" {
  description = "The paths that infer and callback read secrets from: those in file:PATH."
  value       = { for f, list in local.references : f => sort([for r in list : trimprefix(r, "file:") if startswith(r, "file:")]) }
}

output "shares" {
  description = "What part of a whole each priority may use at once: 1 for the heaviest."
  value       = local.shares
}

output "longest_retry" {
  description = "The longest delay between two tries of a callback, in seconds."
  value       = max(0, [for r in local.retries : local.seconds[r]]...)
}
