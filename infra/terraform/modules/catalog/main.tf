# Reads baton.yaml as the program does (internal/catalog), as far as the infrastructure depends on it: which lanes there
# are, how much each may do at once, which secrets each function reads. It uses no provider, so its tests run anywhere.
#
# It is no second checker: run "baton check" on the file first. What is wrong in a way that would build the wrong thing
# is refused by the outputs' preconditions.

locals {
  file = yamldecode(file(var.config))

  priorities = ["high", "normal", "low"]

  # The defaults of internal/catalog.
  weights = merge({ high = 8, normal = 3, low = 1 }, try({ for p, w in local.file.priorities : p => w }, {}))

  # The heaviest priority may use all of a target's concurrency, and each other one its weight's part of it. With equal
  # weights every lane may use all of it.
  shares = { for p in local.priorities : p => local.weights[p] / max([for p in local.priorities : local.weights[p]]...) }

  # A model that is a group has no targets of its own: its members have. A canary or a shadow is called like any target,
  # so it has its lanes too.
  listed = flatten([
    for model_id, model in local.file.models : [
      for t in try(model.targets, []) : {
        name        = tostring(t.name)
        model       = model_id
        api         = try(tostring(t.api), "")
        concurrency = try(tonumber(t.concurrency), 64)
        timeout     = try(tostring(t.timeout), "60s")
        edge        = try(tobool(t.edge), false)
      }
    ]
  ])

  retired = [
    for name in setsubtract(var.retired_targets, local.listed[*].name) :
    { name = name, model = "", api = "", concurrency = 2, timeout = "60s", edge = false }
  ]

  # A name that is given twice is refused by the output's precondition; here, the first of them stands.
  targets = { for name, same in { for t in concat(local.listed, local.retired) : t.name => t... } : name => merge(same[0], {
    timeout = local.seconds[same[0].timeout]
  }) }

  lanes = merge(
    { for pair in setproduct(["schedule", "callback"], local.priorities) : "${pair[0]}-${pair[1]}" => {
      hop = pair[0], priority = pair[1], target = "", calls = 0
    } },
    { for pair in setproduct(local.priorities, keys(local.targets)) : "infer-${pair[0]}-${pair[1]}" => {
      hop = "infer", priority = pair[0], target = pair[1]
      # Calls at once. Two at least: a lane of one could not be told apart from a stuck one, and AWS has no less.
      calls = max(2, floor(local.shares[pair[0]] * local.targets[pair[1]].concurrency))
    } },
  )

  retries = try([for r in local.file.callbacks.retries : tostring(r)], ["0", "5s", "5m", "30m", "2h", "5h", "10h", "10h"])

  # Durations as Go writes them, such as 1h30m, 60s or 120ms, and a plain 0.
  durations = distinct(concat([for t in concat(local.listed, local.retired) : t.timeout], local.retries))
  units     = { ns = 1e-9, us = 1e-6, "µs" = 1e-6, ms = 1e-3, s = 1, m = 60, h = 3600 }
  seconds = { for d in local.durations : d => sum(concat([0], [
    for part in regexall("([0-9]+\\.?[0-9]*)(ns|us|µs|ms|s|m|h)", d) : tonumber(part[0]) * local.units[part[1]]
  ])) }

  tenants = try({ for name, tenant in local.file.tenants : name => tenant }, {})
  budgets = sort([for name, tenant in local.tenants : name if try(tenant.budget, null) != null])

  callback_queues = flatten([for tenant in values(local.tenants) : [for q in try(tenant.callback_queues, []) : tostring(q)]])

  references = {
    infer = distinct(flatten([
      for model in local.file.models : [
        for t in try(model.targets, []) : [
          for s in [
            try(t.key, null), try(t.auth.oauth2.client_secret, null), try(t.auth.sigv4.access_key, null),
            try(t.auth.sigv4.secret_key, null), try(t.tls.ca, null), try(t.tls.cert, null), try(t.tls.key, null),
          ] : tostring(s) if s != null
        ]
      ]
    ]))
    callback = distinct(flatten([for tenant in values(local.tenants) : [for s in try(tenant.secrets, []) : tostring(s)]]))
  }
}
