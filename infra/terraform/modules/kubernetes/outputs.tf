output "manifests" {
  description = "Every manifest, as one YAML stream: terraform output -raw manifests | kubectl apply -f -"
  value       = join("---\n", [for name in local.order : yamlencode(local.manifests[name])])

  precondition {
    condition     = length(concat(module.catalog.secret_files.infer, module.catalog.secret_files.callback)) == 0
    error_message = "Secrets in files are not mounted: refer to them as env:NAME in baton.yaml, and put NAME in the Secret."
  }
  precondition {
    condition     = alltrue([for t in module.catalog.targets : t.api != "simulated"])
    error_message = "Simulated targets run on a developer's machine only. Run \"baton model\" in the cluster and name it as a target with api: openai."
  }
  precondition {
    condition     = length(module.catalog.budgets) == 0 || var.redis_url != null
    error_message = "Tenants have budgets (${join(", ", module.catalog.budgets)}), which pods can only hold together: set redis_url, or no pod will start."
  }
  precondition {
    condition     = length(yamlencode(local.config)) < 1000000
    error_message = "baton.yaml is too large for a ConfigMap, which holds 1 MB."
  }
}

output "nats_values" {
  description = "The values of the chart nats: terraform output -raw nats_values > nats-values.yaml"
  value       = yamlencode(local.nats_values)
}

output "secret" {
  description = "What the Secret must hold, by its keys."
  value       = { name = var.secret, namespace = var.namespace, keys = sort(distinct(concat(flatten(values(local.functions)), [for r in local.redis_url : r.key if r.name == var.secret]))) }
}

locals {
  # The namespace first: kubectl applies in the order of the stream.
  order = concat(["namespace", "config"], sort(setsubtract(keys(local.manifests), ["namespace", "config"])))
}
