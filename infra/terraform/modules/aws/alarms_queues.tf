# Alarms of the queues: what left the chain, and what waits in it too long.

locals {
  # How long the oldest message of a queue may be there. A call of infer takes its time while its message is still in
  # the queue; a callback waits in its queue for its next try, so only what is older than the longest delay (and its
  # jitter of a tenth) is late.
  oldest = { for name, lane in local.lanes : name => ceil(var.alarms.oldest_seconds[lane.priority] + {
    schedule = 0
    infer    = try(module.catalog.targets[lane.target].timeout, 0)
    callback = 1.1 * module.catalog.longest_retry
    batch    = 0
    in       = 0
  }[lane.hop]) }

  late = {
    schedule = "look for errors and throttles of the function schedule; then whether functions.schedule.concurrency is too low."
    callback = "look for errors and throttles of the function callback; then whether functions.callback.concurrency is too low."
    batch    = "look for errors and throttles of the function ingest; a step that does not fit in functions.ingest.timeout never ends."
    in       = "look in the log of ingest; if nothing is wrong there, the tenant is over its rate, its queue or its budget, and its requests wait for that."
  }

  queue_alarms = merge(
    {
      dead-letters = {
        kind       = "dead-letters", expression = "", per = ""
        says       = "A request has left the chain: it will neither be answered nor tried again until somebody redrives it."
        first      = "read the reasons (\"baton dead list\", or receive from the queue ${var.name}-dead); redrive when the cause is gone."
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = "${var.name}-dead" }, threshold = 0, minutes = 1
      }
    },
    {
      dead-letters-rising = {
        kind       = "dead-letters-rising", expression = "", per = ""
        says       = "More than 10 requests a minute leave the chain: not one bad request, but something that fails for many."
        first      = "if a release is under way it is rolled back by itself; else read the newest reasons with \"baton dead list\"."
        namespace  = "AWS/SQS", metric = "NumberOfMessagesSent", statistic = "Sum"
        dimensions = { QueueName = "${var.name}-dead" }, threshold = 10, minutes = 2
      }
    },
    { for name, lane in local.lanes : "oldest-message-${name}" => {
      kind       = "oldest-message", expression = "", per = ""
      says       = "A request has waited in ${var.name}-${name} for more than ${local.oldest[name]} s: work comes in faster than it is done, or is not done at all."
      first      = lane.hop == "infer" ? "look whether target ${lane.target} answers (errors in the log of infer); then whether its concurrency in baton.yaml is too low." : local.late[lane.hop]
      namespace  = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", statistic = "Maximum"
      dimensions = { QueueName = "${var.name}-${name}" }, threshold = local.oldest[name], minutes = 3
    } },
    { for name, lane in local.lanes : "callback-backlog-${lane.priority}" => {
      kind       = "callback-backlog", expression = "", per = ""
      says       = "More than ${var.alarms.callback_backlog} results in ${var.name}-${name} are ready to be delivered and wait: callers hear late."
      first      = "see in the log of callback which receiver is slow; raise functions.callback.concurrency if none is."
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
      dimensions = { QueueName = "${var.name}-${name}" }, threshold = var.alarms.callback_backlog, minutes = 5
    } if lane.hop == "callback" },
  )
}
