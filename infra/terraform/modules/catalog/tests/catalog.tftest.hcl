variables {
  config = "tests/two.yaml"
}

run "every_hop_and_priority_has_a_lane_and_infer_one_for_each_target" {
  command = plan

  assert {
    condition = sort(keys(output.lanes)) == sort(concat(
      ["schedule-high", "schedule-normal", "schedule-low", "callback-high", "callback-normal", "callback-low"],
      flatten([for p in ["high", "normal", "low"] : [for t in ["main", "big-a", "big_b"] : "infer-${p}-${t}"]]),
    ))
    error_message = "Lanes: ${join(" ", keys(output.lanes))}"
  }
  assert {
    condition     = output.lanes["infer-low-big-a"] == { hop = "infer", priority = "low", target = "big-a", calls = 2 }
    error_message = jsonencode(output.lanes["infer-low-big-a"])
  }
}

run "a_targets_concurrency_is_shared_by_weight_and_the_heaviest_priority_may_use_all_of_it" {
  command = plan

  assert {
    condition     = [for p in ["high", "normal", "low"] : output.lanes["infer-${p}-main"].calls] == [64, 24, 8]
    error_message = jsonencode([for l in output.lanes : l if l.target == "main"])
  }
}

run "equal_weights_let_every_lane_use_all_of_it" {
  command = plan
  variables { config = "tests/even.yaml" }

  assert {
    condition     = alltrue([for l in output.lanes : l.calls == 10 if l.hop == "infer"])
    error_message = jsonencode(output.lanes)
  }
}

run "durations_are_read_as_go_reads_them" {
  command = plan

  assert {
    condition     = output.targets["main"].timeout == 90 && output.targets["big-a"].timeout == 60
    error_message = jsonencode(output.targets)
  }
  assert {
    condition     = output.longest_retry == 36000
    error_message = "The longest default retry is 10h, not ${output.longest_retry} s."
  }
}

run "so_are_the_callbacks_retries" {
  command = plan
  variables { config = "tests/even.yaml" }

  assert {
    condition     = output.longest_retry == 5400.5
    error_message = "1h30m0.5s is not ${output.longest_retry} s."
  }
}

run "each_function_is_told_only_the_secrets_that_it_reads" {
  command = plan

  assert {
    condition     = jsonencode(output.secrets) == jsonencode({ infer = ["ONE_KEY", "TWO_KEY"], callback = ["SEARCH_NEW", "SEARCH_OLD"] })
    error_message = jsonencode(output.secrets)
  }
  assert {
    condition     = jsonencode(output.secret_files) == jsonencode({ infer = [], callback = ["/etc/baton/batch"] })
    error_message = jsonencode(output.secret_files)
  }
}

run "infer_is_told_all_that_targets_are_called_with" {
  command = plan

  variables {
    config = "tests/credentials.yaml"
  }

  assert {
    condition = jsonencode(output.secrets) == jsonencode({
      infer = ["ACCESS", "CA", "CERT", "CERT_KEY", "CLIENT", "KEY", "SECRET"], callback = []
    })
    error_message = jsonencode(output.secrets)
  }
}

run "a_group_has_no_lanes_and_canaries_and_shadows_have_theirs" {
  command = plan
  variables { config = "tests/policies.yaml" }

  assert {
    condition     = { for name, t in output.targets : name => t.model } == { main = "answers", next = "answers", copied = "answers", own = "small" }
    error_message = jsonencode(output.targets)
  }
  assert {
    condition     = toset([for l in output.lanes : l.target if l.hop == "infer"]) == toset(["main", "next", "copied", "own"])
    error_message = jsonencode(keys(output.lanes))
  }
  assert {
    condition     = [for p in ["high", "normal", "low"] : output.lanes["infer-${p}-copied"].calls] == [8, 3, 2]
    error_message = jsonencode([for l in output.lanes : l if l.target == "copied"])
  }
  assert {
    condition     = output.secrets.infer == tolist(["COPIED_KEY"])
    error_message = jsonencode(output.secrets)
  }
}

run "the_tenants_with_a_budget_are_known" {
  command = plan
  variables { config = "tests/policies.yaml" }

  assert {
    condition     = output.budgets == tolist(["agents", "search"])
    error_message = jsonencode(output.budgets)
  }
}

run "and_there_may_be_none" {
  command = plan

  assert {
    condition     = length(output.budgets) == 0
    error_message = jsonencode(output.budgets)
  }
}

run "the_doors_beside_http_are_known" {
  command = plan
  variables { config = "tests/doors.yaml" }

  assert {
    condition     = output.intakes == { queue = "high", both = "normal" }
    error_message = jsonencode(output.intakes)
  }
  assert {
    condition     = output.callback_queues == tolist(["ordered.fifo", "results"])
    error_message = jsonencode(output.callback_queues)
  }
  assert {
    condition     = output.needs_nats == tolist(["both", "subject"]) && output.needs_kafka == tolist(["topic"])
    error_message = jsonencode([output.needs_nats, output.needs_kafka])
  }
  assert {
    condition     = { for name, t in output.targets : name => t.edge } == { main = false, shop = true }
    error_message = jsonencode(output.targets)
  }
}

run "and_a_file_without_any_has_none" {
  command = plan

  assert {
    condition     = length(output.intakes) + length(output.callback_queues) + length(output.needs_nats) + length(output.needs_kafka) == 0
    error_message = jsonencode([output.intakes, output.callback_queues])
  }
}

run "groups_alone_are_refused" {
  command = plan
  variables { config = "tests/groups.yaml" }
  expect_failures = [output.lanes]
}

run "a_retired_target_keeps_its_lanes" {
  command = plan
  variables { retired_targets = ["gone", "main"] }

  assert {
    condition     = output.lanes["infer-high-gone"].calls == 2 && output.lanes["infer-high-main"].calls == 64
    error_message = jsonencode(keys(output.lanes))
  }
}

run "a_target_named_twice_is_refused" {
  command = plan
  variables { config = "tests/twice.yaml" }
  expect_failures = [output.lanes]
}

run "a_target_that_can_name_no_queue_is_refused" {
  command = plan
  variables { config = "tests/shouted.yaml" }
  expect_failures = [output.lanes]
}

run "a_file_without_models_is_refused" {
  command = plan
  variables { config = "tests/nothing.yaml" }
  expect_failures = [var.config]
}

run "a_file_that_is_not_there_is_refused" {
  command = plan
  variables { config = "tests/missing.yaml" }
  expect_failures = [var.config]
}
