# Where parts of requests, files and batches are kept.

mock_provider "aws" {
  source = "./tests/mocks"
}
mock_provider "archive" {}

variables {
  config   = "tests/configs/one.yaml"
  packages = "tests/packages"
  secrets = {
    ONE_KEY      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/one-AbCdEf"
    SEARCH_WHSEC = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/search-AbCdEf"
  }
}

run "a_bucket_that_nobody_else_reads" {
  command = plan

  assert {
    condition     = aws_s3_bucket.objects[0].bucket == "baton-objects-123456789012-eu-central-1"
    error_message = aws_s3_bucket.objects[0].bucket
  }
  assert {
    condition = alltrue([for b in [aws_s3_bucket_public_access_block.objects[0]] :
      b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets
    ]) && aws_s3_bucket_ownership_controls.objects[0].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "The bucket can be opened to others."
  }
  assert {
    condition = anytrue([for s in jsondecode(aws_s3_bucket_policy.objects[0].policy).Statement :
      s.Effect == "Deny" && s.Principal == "*" && try(s.Condition.Bool["aws:SecureTransport"], "") == "false" && length(s.Resource) == 2
    ])
    error_message = "The bucket answers without TLS."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.objects[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects are not encrypted."
  }
}

run "nothing_stays_in_it_for_good" {
  command = plan

  assert {
    condition = { for r in aws_s3_bucket_lifecycle_configuration.objects[0].rule : r.filter[0].prefix => r.expiration[0].days if length(r.expiration) > 0 } == {
      "parts/" = 3, "files/" = 30, "batches/" = 9, "uploads/" = 1, "incoming/" = 1
    }
    error_message = jsonencode(aws_s3_bucket_lifecycle_configuration.objects[0].rule)
  }
  assert {
    condition = anytrue([for r in aws_s3_bucket_lifecycle_configuration.objects[0].rule :
      r.filter[0].prefix == "" && try(r.abort_incomplete_multipart_upload[0].days_after_initiation, 0) == 1
    ])
    error_message = "Uploads that were not completed are kept."
  }
}

run "with_a_key_of_yours_it_is_encrypted_with_that" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }

  assert {
    condition = alltrue([for r in aws_s3_bucket_server_side_encryption_configuration.objects[0].rule :
      r.bucket_key_enabled && one(r.apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    ])
    error_message = "The bucket is not encrypted with the given key."
  }
}

run "every_function_is_told_where_it_is_and_reaches_it_past_the_nat_gateway" {
  command = plan

  assert {
    condition     = alltrue([for l in aws_lambda_function.function : l.environment[0].variables["BATON_OBJECTS"] == "s3://baton-objects-123456789012-eu-central-1"])
    error_message = "A function is not told where the objects are."
  }
  assert {
    condition     = aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3[0].service_name == "com.amazonaws.eu-central-1.s3"
    error_message = "S3 is reached through the NAT gateway."
  }
}

run "a_bucket_of_yours_is_used_as_it_is" {
  command = plan
  variables {
    objects = { bucket = "mine", prefix = "llm/baton", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
    network = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
  }

  assert {
    condition     = length(aws_s3_bucket.objects) + length(aws_s3_bucket_policy.objects) + length(aws_s3_bucket_lifecycle_configuration.objects) + length(aws_vpc_endpoint.s3) == 0
    error_message = "Something is made, or changed."
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : l.environment[0].variables["BATON_OBJECTS"] == "s3://mine/llm/baton"]) && output.objects == { bucket = "mine", prefix = "llm/baton/" }
    error_message = jsonencode(output.objects)
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.function["callback"].policy).Statement : s.Resource if s.Sid == "DeleteObject"] == [["arn:aws:s3:::mine/llm/baton/parts/*"]]
    error_message = aws_iam_role_policy.function["callback"].policy
  }
  assert {
    condition     = alltrue([for p in aws_iam_role_policy.function : anytrue([for s in jsondecode(p.policy).Statement : s.Resource == ["arn:aws:kms:eu-central-1:123456789012:key/1"]])])
    error_message = "A function may not use the bucket's key."
  }
}

run "or_none_at_all" {
  command = plan
  variables { objects = { enabled = false } }

  assert {
    condition     = length(aws_s3_bucket.objects) + length(aws_vpc_endpoint.s3) == 0 && !contains(keys(aws_sqs_queue.lane), "batch-low") && output.objects == null
    error_message = "Something is made all the same."
  }
  assert {
    condition     = alltrue([for l in aws_lambda_function.function : !contains(keys(l.environment[0].variables), "BATON_OBJECTS")])
    error_message = "A function is told of objects."
  }
}

run "a_key_of_a_bucket_that_is_made_is_the_modules" {
  command = plan
  variables { objects = { kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" } }
  expect_failures = [var.objects]
}
