# The manifests, read back as a cluster would read them. No provider and no cluster is needed.

variables {
  config = "tests/two.yaml"
  image  = "registry.example.com/baton-{function}:1.2.3"
}

run "the_stream_is_yaml_that_kubectl_reads_with_the_namespace_first" {
  command = plan

  assert {
    condition     = [for m in split("---\n", output.manifests) : yamldecode(m).kind][0] == "Namespace"
    error_message = substr(output.manifests, 0, 200)
  }
  assert {
    condition     = length(split("---\n", output.manifests)) == length(local.manifests) && alltrue([for m in split("---\n", output.manifests) : can(yamldecode(m).apiVersion)])
    error_message = "A document is missing or broken."
  }
  assert {
    condition     = alltrue([for m in local.manifests : m.kind == "Namespace" || try(m.metadata.namespace, "") == "baton"])
    error_message = "A manifest would land in another namespace."
  }
}

run "each_lane_wakes_its_function_from_zero" {
  command = plan

  assert {
    condition = toset(flatten([for f in ["schedule", "infer", "callback"] : [
      for t in local.scaled[f].spec.triggers : "${t.metadata.stream}/${t.metadata.consumer}" if t.type == "nats-jetstream"
      ]])) == toset(concat(
      [for p in ["high", "normal", "low"] : "BATON_SCHEDULE/schedule-${p}"],
      [for p in ["high", "normal", "low"] : "BATON_CALLBACK/callback-${p}"],
      flatten([for p in ["high", "normal", "low"] : [for t in ["main", "spare_1"] : "BATON_INFER/infer-${p}-${t}"]]),
    ))
    error_message = jsonencode(local.scaled)
  }
  assert {
    condition     = alltrue([for f in ["schedule", "infer", "callback"] : local.scaled[f].spec.minReplicaCount == 0])
    error_message = "A function keeps pods with nothing to do."
  }
  assert {
    condition     = local.scaled["ingest"].spec.minReplicaCount == 2
    error_message = "Requests may come to no pod."
  }
  assert {
    condition     = { for t in local.scaled["infer"].spec.triggers : t.name => t.metadata.lagThreshold if startswith(t.name, "infer-high-") } == { infer-high-main = "40", infer-high-spare_1 = "64" }
    error_message = "A pod is not asked to do what a target's concurrency allows."
  }
}

run "and_infer_by_its_stream_where_tenants_wait_in_lanes_that_nobody_can_name" {
  command = plan

  assert {
    condition = jsonencode({ for f in ["schedule", "infer", "callback"] : f => [for t in local.scaled[f].spec.triggers : t.metadata if t.type == "metrics-api"] }) == jsonencode({
      schedule = [], callback = []
      infer = [{
        url           = "http://nats-headless.baton.svc.cluster.local:8222/jsz?acc=%24G&streams=true"
        valueLocation = "account_details.0.stream_detail.#(name==\"BATON_INFER\").state.messages"
        targetValue   = "104", activationTargetValue = "0"
      }]
    })
    error_message = jsonencode(local.scaled["infer"].spec.triggers)
  }
}

run "a_group_has_no_lanes_and_a_shadow_has" {
  command = plan
  variables {
    config    = "tests/policies.yaml"
    redis_url = {}
  }

  assert {
    condition = toset([for t in local.scaled["infer"].spec.triggers : t.metadata.consumer if t.type == "nats-jetstream"]) == toset(flatten([
      for p in ["high", "normal", "low"] : [for t in ["main", "copied"] : "infer-${p}-${t}"]
    ]))
    error_message = jsonencode(local.scaled["infer"].spec.triggers)
  }
}

run "without_a_redis_no_tenant_may_have_a_budget" {
  command = plan
  variables { config = "tests/policies.yaml" }
  expect_failures = [output.manifests]
}

run "without_a_redis_no_function_is_told_of_one" {
  command = plan

  assert {
    condition     = alltrue([for d in local.deployments : !contains([for e in d.spec.template.spec.containers[0].env : e.name], "BATON_REDIS_URL")])
    error_message = jsonencode(local.environment)
  }
}

run "the_url_of_redis_comes_from_the_secret_to_every_function" {
  command = plan
  variables { redis_url = {} }

  assert {
    condition = alltrue([for d in local.deployments : [
      for e in d.spec.template.spec.containers[0].env : "${e.valueFrom.secretKeyRef.name}/${e.valueFrom.secretKeyRef.key}" if e.name == "BATON_REDIS_URL"
    ] == ["baton/BATON_REDIS_URL"]])
    error_message = jsonencode(local.deployments)
  }
  assert {
    condition     = jsonencode(output.secret.keys) == jsonencode(["BATON_REDIS_URL", "ONE_KEY", "SEARCH_WHSEC", "TWO_KEY"])
    error_message = jsonencode(output.secret)
  }
}

run "or_from_another_secret" {
  command = plan
  variables { redis_url = { secret = "valkey", key = "url" } }

  assert {
    condition = alltrue([for d in local.deployments : [
      for e in d.spec.template.spec.containers[0].env : "${e.valueFrom.secretKeyRef.name}/${e.valueFrom.secretKeyRef.key}" if e.name == "BATON_REDIS_URL"
    ] == ["valkey/url"]])
    error_message = jsonencode(local.deployments)
  }
  assert {
    condition     = jsonencode(output.secret.keys) == jsonencode(["ONE_KEY", "SEARCH_WHSEC", "TWO_KEY"])
    error_message = jsonencode(output.secret)
  }
}

run "a_function_gets_its_own_image_and_only_the_secrets_it_reads" {
  command = plan

  assert {
    condition     = { for f, d in local.deployments : f => d.spec.template.spec.containers[0].image } == { for f in ["ingest", "schedule", "infer", "callback"] : f => "registry.example.com/baton-${f}:1.2.3" }
    error_message = "A function runs another's image."
  }
  assert {
    condition = jsonencode({ for f, d in local.deployments : f => [for e in d.spec.template.spec.containers[0].env : e.name if can(e.valueFrom)] }) == jsonencode({
      ingest = [], schedule = [], infer = ["ONE_KEY", "TWO_KEY"], callback = ["SEARCH_WHSEC"]
    })
    error_message = "A function reads a secret that it does not need."
  }
  assert {
    condition     = jsonencode(output.secret.keys) == jsonencode(["ONE_KEY", "SEARCH_WHSEC", "TWO_KEY"])
    error_message = jsonencode(output.secret)
  }
}

run "no_pod_runs_as_root_or_writes_to_its_image" {
  command = plan

  assert {
    condition = alltrue([for d in local.deployments :
      d.spec.template.spec.securityContext.runAsNonRoot && d.spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem &&
      !d.spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation && !can(d.spec.replicas)
    ])
    error_message = "A pod has more rights than it needs, or fights KEDA for the number of pods."
  }
}

run "the_functions_read_the_file_that_the_scaling_was_made_by" {
  command = plan

  assert {
    condition     = local.config.data["baton.yaml"] == file("tests/two.yaml")
    error_message = "The ConfigMap holds another file."
  }
}

run "nats_is_a_cluster_over_zones_with_disks_that_stay" {
  command = plan

  assert {
    condition = (
      yamldecode(output.nats_values).config.cluster.enabled && yamldecode(output.nats_values).config.cluster.replicas == 3 &&
      yamldecode(output.nats_values).config.jetstream.fileStore.pvc.size == "20Gi" && !can(yamldecode(output.nats_values).config.jetstream.merge.sync_interval)
    )
    error_message = output.nats_values
  }
  assert {
    condition     = one([for e in local.environment : e.value if e.name == "BATON_NATS_REPLICAS"]) == "3" && one([for e in local.environment : e.value if e.name == "BATON_NATS_SYNC"]) == "interval"
    error_message = jsonencode(local.environment)
  }
}

run "one_server_must_sync_always" {
  command = plan
  variables { nats = { servers = 1 } }
  expect_failures = [var.nats]
}

run "and_then_the_functions_know" {
  command = plan
  variables { nats = { servers = 1, sync = "always" } }

  assert {
    condition     = yamldecode(output.nats_values).config.jetstream.merge.sync_interval == "always" && !yamldecode(output.nats_values).config.cluster.enabled
    error_message = output.nats_values
  }
  assert {
    condition     = one([for e in local.environment : e.value if e.name == "BATON_NATS_SYNC"]) == "always" && one([for e in local.environment : e.value if e.name == "BATON_NATS_REPLICAS"]) == "1"
    error_message = jsonencode(local.environment)
  }
}

run "a_host_name_makes_an_ingress_with_tls" {
  command = plan
  variables { host = { name = "baton.example.com", tls_secret = "baton-tls" } }

  assert {
    condition     = local.manifests["ingress"].spec.tls[0].secretName == "baton-tls" && local.manifests["ingress"].spec.rules[0].host == "baton.example.com"
    error_message = "The Ingress is not as asked for."
  }
}

run "an_image_for_all_functions_is_refused" {
  command = plan
  variables { image = "registry.example.com/baton:1.2.3" }
  expect_failures = [var.image]
}

run "an_image_without_a_version_is_refused" {
  command = plan
  variables { image = "registry.example.com:5000/baton-{function}" }
  expect_failures = [var.image]
}

run "no_pod_of_ingest_is_refused" {
  command = plan
  variables { scale = { ingest = { min = 0 } } }
  expect_failures = [var.scale]
}

run "a_simulated_target_is_refused" {
  command = plan
  variables { config = "tests/simulated.yaml" }
  expect_failures = [output.manifests]
}
