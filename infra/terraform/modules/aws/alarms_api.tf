# Alarms of the door.

locals {
  api_metric = local.rest ? {
    dimensions = { ApiName = var.name, Stage = "live" }
    errors     = "5XXError"
    } : {
    dimensions = { ApiId = aws_apigatewayv2_api.http[0].id, Stage = "$default" }
    errors     = "5xx"
  }

  api_alarms = merge(
    {
      api-5xx = {
        kind       = "api-5xx"
        says       = "More than 1 % of the requests are answered with 5xx: callers cannot hand in work."
        first      = "see by the access log (/aws/apigateway/${var.name}) whether it is 503 by ingest (queue or results cannot be reached: its log says which) or 500 and 504 by API Gateway (ingest crashes, is throttled or too slow)."
        namespace  = "AWS/ApiGateway", metric = local.api_metric.errors, per = "Count", statistic = "Sum", expression = "100 * a / MAX([b, 1])"
        dimensions = local.api_metric.dimensions, threshold = 1, minutes = 2
      }
    },
    { for kind in var.alarms.latency_p99_ms == 0 ? [] : ["api-latency"] : kind => {
      kind       = kind, expression = "", per = ""
      says       = "One request in a hundred takes more than ${var.alarms.latency_p99_ms} ms to be accepted, for two minutes now."
      first      = "see whether callers wait for results in the request (Prefer: wait, ?wait=), which is no fault: then raise alarms.latency_p99_ms or set it to 0. Else look at Valkey's CPU and the duration of ingest."
      namespace  = "AWS/ApiGateway", metric = "Latency", statistic = "p99"
      dimensions = local.api_metric.dimensions, threshold = var.alarms.latency_p99_ms, minutes = 2
    } },
  )
}
