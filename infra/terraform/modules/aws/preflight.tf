# What must hold between baton.yaml and the variables. All of it is checked before anything is made.

locals {
  slow_targets = [
    for name, t in module.catalog.targets : "${name} (${t.timeout} s)" if t.timeout + 15 > var.functions.infer.timeout
  ]
  slowest  = max([for t in module.catalog.targets : t.timeout]...)
  edges    = [for name, t in module.catalog.targets : name if t.edge]
  unserved = [for name, t in module.catalog.targets : name if t.api == "simulated"]
  files    = concat(module.catalog.secret_files.infer, module.catalog.secret_files.callback)
  named    = toset(concat(module.catalog.secrets.infer, module.catalog.secrets.callback))
  unknown  = setsubtract(local.named, keys(var.secrets))
  unused   = setsubtract(keys(var.secrets), local.named)
  strange  = setsubtract(keys(var.intake_senders), keys(module.catalog.intakes))
  long     = [for lane in keys(local.lanes) : lane if length("${var.name}-${lane}") > 80]
  narrow   = [for name, t in module.catalog.targets : "${name} (${t.concurrency})" if t.concurrency < 6 && t.api != ""]
  missing  = [for f in keys(local.functions) : "${f}.zip" if !fileexists("${var.packages}/${f}.zip")]

  # Invocations that may run at once if every queue is full.
  most_at_once = sum([for m in local.mappings : m.maximum])
}

resource "terraform_data" "preflight" {
  lifecycle {
    precondition {
      condition     = length(local.missing) == 0
      error_message = "${var.packages} lacks ${join(", ", local.missing)}: run \"make lambda\" in the root of the project, or set packages to where the zip files are."
    }
    precondition {
      condition     = length(local.slow_targets) == 0
      error_message = "These targets may take longer than infer is given: ${join(", ", local.slow_targets)}. Infer ends after ${var.functions.infer.timeout} s and needs 15 s around a call: set functions.infer.timeout to at least ${local.slowest + 15}, or lower the targets' timeout in baton.yaml.${local.slowest > 885 ? " Lambda allows 900 s at most: run such a target on Kubernetes." : ""}"
    }
    precondition {
      condition     = length(local.unserved) == 0
      error_message = "Simulated targets run on a developer's machine only: ${join(", ", local.unserved)}. Run \"baton model\" on a server of yours and name it as a target with api: openai."
    }
    precondition {
      condition     = length(local.edges) == 0
      error_message = "Targets with edge: true are called by \"baton edge\", over NATS, which there is none of on AWS: ${join(", ", local.edges)}. Name them in the baton.yaml of a chain on NATS, and give this one a file of its own."
    }
    precondition {
      condition     = length(local.strange) == 0
      error_message = "intake_senders names ${join(", ", local.strange)}, and baton.yaml takes no requests of theirs from a queue: say intake: {sqs: true} there, or take the name out."
    }
    precondition {
      condition     = length(local.files) == 0
      error_message = "Secrets in files cannot be read on Lambda: ${join(", ", local.files)}. Refer to them as env:NAME in baton.yaml, and map NAME to a Secrets Manager ARN in secrets."
    }
    precondition {
      condition     = length(local.unknown) == 0
      error_message = "baton.yaml refers to ${join(", ", [for n in local.unknown : "env:${n}"])}, which secrets does not have. Add for each: NAME = \"arn:aws:secretsmanager:…\"."
    }
    precondition {
      condition     = length(local.unused) == 0
      error_message = "Nothing in baton.yaml refers to ${join(", ", local.unused)}, which secrets has: is a name misspelt? Take out what is not needed, so that no function may read it."
    }
    precondition {
      condition     = length(local.long) == 0
      error_message = "These queues would have names over SQS's 80 characters: ${join(", ", [for l in local.long : "${var.name}-${l}"])}. Shorten the target's name or the module's."
    }
  }
}

# A warning, not an error: the quota may be raised already without alarms.account_concurrency saying so.
check "the_account_allows_what_the_queues_may_run" {
  assert {
    condition     = local.most_at_once <= 0.9 * var.alarms.account_concurrency
    error_message = "With every queue full, ${local.most_at_once} invocations may run at once, and the account allows ${var.alarms.account_concurrency}: ingest would be throttled. Ask AWS to raise \"Concurrent executions\" (Lambda) first and set alarms.account_concurrency, or lower the concurrency of targets in baton.yaml."
  }
}

# Calls are held to a target's concurrency all the same, by the places in Valkey: what is over waits, and Lambda bills it.
check "targets_are_wide_enough_for_their_three_queues" {
  assert {
    condition     = length(local.narrow) == 0
    error_message = "SQS starts no fewer than two invocations a queue, and a target has three queues: of ${join(", ", local.narrow)} up to 6 run at once, and those above its concurrency wait for a place and are billed; while Valkey is away, they call."
  }
}

check "every_way_in_and_out_is_there" {
  assert {
    condition     = length(module.catalog.needs_nats) == 0
    error_message = "There is no NATS on AWS: nothing is taken from the subjects of ${join(", ", module.catalog.needs_nats)}, and a result that is to go to one (nats://) becomes a dead letter. Use intake: {sqs: true} and sqs:// here."
  }
  assert {
    condition     = length(module.catalog.needs_kafka) == 0
    error_message = "Nothing is taken from topics of Kafka on AWS, as ${join(", ", module.catalog.needs_kafka)} would have it: let an event source mapping or a connector of yours forward them to the tenant's queue (intake: {sqs: true})."
  }
}

check "what_tenants_spent_is_not_forgotten" {
  assert {
    condition     = length(module.catalog.budgets) == 0 || var.results.mode != "serverless"
    error_message = "Tenants have budgets (${join(", ", module.catalog.budgets)}), and serverless Valkey forgets what was used least lately once it holds results.max_gb: of a budget that it forgot, nothing is spent. Use results.mode nodes, which refuses writes instead, or external; or see that the alarm valkey-memory is heard."
  }
}
