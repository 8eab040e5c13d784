# Alarms of the functions.

locals {
  function_alarms = merge(
    { for f in keys(local.functions) : "function-errors-${f}" => {
      kind       = "function-errors"
      says       = "More than 1 % of the invocations of ${f} end in an error: it crashes, or runs out of time or memory. Its work is repeated, and set aside if that goes on."
      first      = "read the newest errors in the log group /aws/lambda/${var.name}-${f}; if a release is under way it is rolled back by itself, else roll back by hand."
      namespace  = "AWS/Lambda", metric = "Errors", per = "Invocations", statistic = "Sum", expression = "100 * a / MAX([b, 1])"
      dimensions = { FunctionName = "${var.name}-${f}" }, threshold = 1, minutes = 2
    } },
    { for f in keys(local.functions) : "function-throttles-${f}" => {
      kind       = "function-throttles", expression = "", per = ""
      says       = f == "ingest" ? "Callers are refused with 5xx: the account has no invocation left for ingest." : "Invocations of ${f} are refused for lack of concurrency: its queues wait, and messages come nearer to being set aside."
      first      = "see the alarm concurrency; ask AWS for more \"Concurrent executions\", or lower the concurrency of targets in baton.yaml."
      namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
      dimensions = { FunctionName = "${var.name}-${f}" }, threshold = 0, minutes = 3
    } },
    {
      concurrency = {
        kind       = "concurrency", expression = "", per = ""
        says       = "The account uses more than 80 % of its ${var.alarms.account_concurrency} concurrent Lambda executions in this region; at the limit, callers are refused."
        first      = "find the function that uses them (metric ConcurrentExecutions by function); ask AWS for more, which takes hours to days."
        namespace  = "AWS/Lambda", metric = "ConcurrentExecutions", statistic = "Maximum"
        dimensions = {}, threshold = floor(0.8 * var.alarms.account_concurrency), minutes = 3
      }
    },
  )
}
