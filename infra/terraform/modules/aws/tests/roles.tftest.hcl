# What each role may do. Each test reads the policies as they will stand in AWS.

mock_provider "aws" {
  source = "./tests/mocks"
}
mock_provider "archive" {}

variables {
  config   = "tests/configs/two.yaml"
  packages = "tests/packages"
  canary   = true
  results  = { mode = "nodes", night = { node_type = "cache.t4g.micro", from = "cron(0 20 ? * * *)", until = "cron(0 6 ? * * *)" } }
  secrets = {
    ONE_KEY      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf"
    SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
  }
}

run "no_role_has_a_star_that_it_does_not_need" {
  command = plan

  # The Describe actions of EC2 know no resources. Nothing else may name all of them.
  assert {
    condition = alltrue([
      for policy in concat(
        values(aws_iam_role_policy.function)[*].policy, values(aws_iam_role_policy.network)[*].policy,
        aws_iam_role_policy.codedeploy[*].policy, aws_iam_role_policy.scheduler[*].policy,
        ) : alltrue([
          for s in jsondecode(policy).Statement : alltrue([for a in s.Action : startswith(a, "ec2:Describe")])
          if s.Effect == "Allow" && contains(s.Resource, "*")
      ])
    ])
    error_message = "A statement allows an action on every resource."
  }
  assert {
    condition = alltrue(flatten([
      for policy in concat(
        values(aws_iam_role_policy.function)[*].policy, values(aws_iam_role_policy.network)[*].policy,
        aws_iam_role_policy.codedeploy[*].policy, aws_iam_role_policy.scheduler[*].policy,
      ) : [for s in jsondecode(policy).Statement : [for a in s.Action : !strcontains(a, "*")] if s.Effect == "Allow"]
    ]))
    error_message = "A statement allows actions by a pattern."
  }
  assert {
    condition     = length(concat(values(aws_iam_role_policy.function), values(aws_iam_role_policy.network), aws_iam_role_policy.codedeploy, aws_iam_role_policy.scheduler)) == 10
    error_message = "There is a role policy that the assertions above do not read."
  }
}

run "each_function_touches_only_its_own_queues" {
  command = plan

  assert {
    condition = { for f, p in aws_iam_role_policy.function : f => sort(distinct(flatten([
      for s in jsondecode(p.policy).Statement : [for r in s.Resource : split("-", trimprefix(r, "arn:aws:sqs:eu-central-1:123456789012:baton-"))[0]] if s.Sid == "SendToOutputs"
      ]))) } == {
      ingest   = tolist(["batch", "dead", "schedule"])
      schedule = tolist(["callback", "dead", "infer", "schedule"])
      infer    = tolist(["callback", "dead", "infer", "schedule"])
      callback = tolist(["callback", "dead"])
    }
    error_message = "Functions send elsewhere than to their outputs."
  }
  assert {
    condition = jsonencode({ for f, p in aws_iam_role_policy.function : f => distinct(flatten([
      for s in jsondecode(p.policy).Statement : [for r in s.Resource : split("-", trimprefix(r, "arn:aws:sqs:eu-central-1:123456789012:baton-"))[0]] if s.Sid == "TakeFromInputs"
    ])) }) == jsonencode({ ingest = ["batch"], schedule = ["schedule"], infer = ["infer"], callback = ["callback"] })
    error_message = "Functions take from elsewhere than their inputs."
  }
  assert {
    condition = alltrue(flatten([for p in aws_iam_role_policy.function : [
      for s in jsondecode(p.policy).Statement : [for r in s.Resource : contains(values(local.queue_arns), r)] if anytrue([for a in s.Action : startswith(a, "sqs:")])
    ]]))
    error_message = "A policy names a queue that there is not, or several by a pattern."
  }
  assert {
    condition     = toset(flatten([for p in aws_iam_role_policy.function : [for s in jsondecode(p.policy).Statement : s.Resource if s.Sid == "TakeFromInputs"]])) == toset([for k, arn in local.queue_arns : arn if k != "dead"])
    error_message = "Some queue has no function that may take from it."
  }
}

run "ingest_takes_from_tenants_own_doors_and_callback_sends_to_the_queues_that_are_named" {
  command = plan
  variables { config = "tests/configs/doors.yaml" }

  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.function["ingest"].policy).Statement : s.Resource if s.Sid == "TakeFromInputs"]) == [for q in ["batch-low", "in-search"] : "arn:aws:sqs:eu-central-1:123456789012:baton-${q}"]
    error_message = aws_iam_role_policy.function["ingest"].policy
  }
  assert {
    condition = { for f, p in aws_iam_role_policy.function : f => flatten([for s in jsondecode(p.policy).Statement : s.Resource if s.Sid == "SendToReceivers"]) } == {
      ingest = [], schedule = [], infer = [], callback = [for q in ["ordered.fifo", "search-results"] : "arn:aws:sqs:eu-central-1:123456789012:${q}"]
    }
    error_message = aws_iam_role_policy.function["callback"].policy
  }
}

run "without_objects_and_doors_ingest_takes_from_no_queue" {
  command = plan
  variables { objects = { enabled = false } }

  assert {
    condition     = length([for s in jsondecode(aws_iam_role_policy.function["ingest"].policy).Statement : s if s.Sid == "TakeFromInputs"]) == 0
    error_message = aws_iam_role_policy.function["ingest"].policy
  }
  assert {
    condition     = alltrue([for r in flatten([for s in jsondecode(aws_iam_role_policy.function["ingest"].policy).Statement : s.Resource if s.Sid == "SendToOutputs"]) : strcontains(r, ":baton-schedule-")])
    error_message = aws_iam_role_policy.function["ingest"].policy
  }
  assert {
    condition     = length(flatten([for p in aws_iam_role_policy.function : [for s in jsondecode(p.policy).Statement : s if anytrue([for a in s.Action : startswith(a, "s3:")])]])) == 0
    error_message = "A function may touch objects that there are not."
  }
}

run "each_function_touches_only_the_objects_it_has_to_do_with" {
  command = plan

  assert {
    condition = jsonencode({ for f, p in aws_iam_role_policy.function : f => {
      for s in jsondecode(p.policy).Statement : s.Action[0] => [for r in s.Resource : trimprefix(r, "arn:aws:s3:::baton-objects-123456789012-eu-central-1")] if startswith(s.Action[0], "s3:")
      } }) == jsonencode({
      callback = { "s3:DeleteObject" = ["/parts/*"] }
      infer    = { "s3:GetObject" = ["/files/*", "/parts/*"], "s3:ListBucket" = [""] }
      ingest = merge({ for a in ["DeleteObject", "GetObject", "PutObject"] : "s3:${a}" => [for k in ["batches", "files", "incoming", "parts", "uploads"] : "/${k}/*"] }, {
        "s3:AbortMultipartUpload" = ["/incoming/*"], "s3:ListBucket" = [""]
      })
      schedule = { "s3:GetObject" = ["/parts/*"], "s3:ListBucket" = [""] }
    })
    error_message = jsonencode({ for f, p in aws_iam_role_policy.function : f => [for s in jsondecode(p.policy).Statement : s if startswith(s.Action[0], "s3:")] })
  }
}

run "infer_may_do_what_its_targets_need_beside" {
  command = plan
  variables {
    infer_policy_json = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"bedrock:InvokeModel\"],\"Resource\":[\"arn:aws:bedrock:us-west-2::foundation-model/openai.gpt-oss-120b-1:0\"]}]}"
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.infer[0].policy).Statement[0].Action == ["bedrock:InvokeModel"]
    error_message = "The policy is another."
  }
}

run "each_function_reads_only_the_secrets_it_needs" {
  command = plan

  assert {
    condition = { for f, p in aws_iam_role_policy.function : f => flatten([for s in jsondecode(p.policy).Statement : s.Resource if contains(s.Action, "secretsmanager:GetSecretValue")]) } == {
      ingest   = []
      schedule = []
      infer    = [var.secrets["ONE_KEY"]]
      callback = [var.secrets["SEARCH_WHSEC"]]
    }
    error_message = "A function may read a secret that it does not need."
  }
  assert {
    condition = { for f, l in aws_lambda_function.function : f => [for n in keys(l.environment[0].variables) : n if endswith(n, "_ARN")] } == {
      ingest = [], schedule = [], infer = ["ONE_KEY_ARN"], callback = ["SEARCH_WHSEC_ARN"]
    }
    error_message = "A function is not told where its secrets are."
  }
}

run "each_function_writes_only_its_own_log" {
  command = plan

  assert {
    condition = alltrue([for f, p in aws_iam_role_policy.function : [for s in jsondecode(p.policy).Statement : s.Resource if s.Sid == "WriteOwnLog"] == [
      ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/baton-${f}:*"]
    ]])
    error_message = "A function may write another's log."
  }
}

run "the_code_of_a_function_cannot_use_what_lambda_needs_for_the_network" {
  command = plan

  assert {
    condition = alltrue([for f, p in aws_iam_role_policy.network : anytrue([for s in jsondecode(p.policy).Statement :
      s.Effect == "Deny" && s.Action == ["ec2:*"] && try(s.Condition.ArnEquals["lambda:SourceFunctionArn"], []) == ["arn:aws:lambda:eu-central-1:123456789012:function:baton-${f}"]
    ])])
    error_message = "A function's code may make network interfaces."
  }
}

run "an_external_results_store_is_read_from_its_secret" {
  command = plan
  variables {
    results = { mode = "external", redis_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/redis-AbCdEf" }
  }

  assert {
    condition = alltrue([for p in aws_iam_role_policy.function : anytrue([for s in jsondecode(p.policy).Statement :
      s.Action == ["secretsmanager:GetSecretValue"] && contains(s.Resource, var.results.redis_url_secret_arn)
    ])])
    error_message = "A function may not read the URL of the results store."
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : l.environment[0].variables["BATON_REDIS_URL_ARN"] == var.results.redis_url_secret_arn && !contains(keys(l.environment[0].variables), "BATON_REDIS_URL")])
    error_message = "A function is not told where the URL of the results store is."
  }
}
