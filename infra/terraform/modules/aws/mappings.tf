# One event source mapping for each queue, so that no lane waits for another and each is held to its own limit.
#
# A target's concurrency is held by infer itself, which takes a place in Valkey before each call (internal/bulkhead). The
# mappings keep down how many invocations there are to wait for one, each of which is billed, and in what proportion the
# priorities wait. By default the three lanes of a target may together have half as much again as its concurrency.

locals {
  # How many messages an invocation takes. Schedule and callback take what there is, up to ten. An invocation of infer
  # is billed while it waits for the model, and ends with the slowest of its calls: so up to 99 calls at once each has
  # an invocation of its own, and above, where there are 50 invocations or more to take turns, they share. A step of a
  # batch may need all the memory and time there is.
  batch = { for name, lane in local.lanes : name => lane.hop == "infer" ? min(10, max(1, floor(lane.calls / 50))) : lane.hop == "batch" ? 1 : 10 }

  # Invocations at once of each priority. Those of ingest are few, for the sake of whoever comes by HTTP.
  at_once = {
    schedule = var.functions.schedule.concurrency, callback = var.functions.callback.concurrency
    batch    = 4, in = 10
  }

  mappings = { for name, lane in local.lanes : name => {
    hop   = lane.hop
    batch = local.batch[name]
    # For infer, batch × maximum is at most the calls that the lane may make at once. SQS allows 2 to 1000.
    maximum = min(1000, max(2, floor(
      lane.hop == "infer" ? lane.calls / local.batch[name] :
      contains(["batch", "in"], lane.hop) ? local.at_once[lane.hop] :
      module.catalog.shares[lane.priority] * local.at_once[lane.hop]
    )))
  } }
}

resource "aws_lambda_event_source_mapping" "lane" {
  for_each = local.mappings

  event_source_arn        = aws_sqs_queue.lane[each.key].arn
  function_name           = local.alias[local.worker[each.value.hop]].arn
  batch_size              = each.value.batch
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = each.value.maximum
  }

  depends_on = [aws_iam_role_policy.function, aws_lambda_function_recursion_config.function]
}
