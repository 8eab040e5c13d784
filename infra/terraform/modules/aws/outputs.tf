output "endpoint" {
  description = "The base URL of the API."
  value       = local.endpoint
}

output "curl" {
  description = "A request to send: put your key and one of your models in."
  value       = <<-EOT
    curl -sS ${local.endpoint}/v1/inferences -H "Authorization: Bearer $BATON_KEY"${try(" -H '${var.api.jwt.header}: '\"$GATEWAY_TOKEN\"", "")} -H 'Content-Type: application/json' -d '${jsonencode({ model_id = sort(values(module.catalog.targets)[*].model)[0], prompt = "Say hello." })}'
  EOT
}

output "queues" {
  description = "The names of the queues, by lane; dead is that of dead letters."
  value       = merge({ for name, q in aws_sqs_queue.lane : name => q.name }, { dead = aws_sqs_queue.dead.name })
}

output "sqs_url" {
  description = "What the queues' URLs begin with: BATON_SQS_URL of the functions, and of the baton command."
  value       = local.environment.BATON_SQS_URL
}

output "objects" {
  description = "The bucket of parts, files and batches, and what the keys in it begin with; null without one."
  value       = local.objects ? { bucket = local.own_objects ? aws_s3_bucket.objects[0].bucket : local.bucket, prefix = local.key_prefix } : null
}

output "intakes" {
  description = "For each tenant whose requests are taken from a queue, the queue's URL and ARN: for whoever sends there."
  value = { for tenant in keys(module.catalog.intakes) : tenant => {
    url = "${local.environment.BATON_SQS_URL}-in-${tenant}"
    arn = local.queue_arns["in-${tenant}"]
  } }
}

output "functions" {
  description = "Each function: its name, the alias that runs, the newest version, the version that the alias was at when this was last applied or refreshed, and its log group."
  value = { for f in keys(local.functions) : f => {
    name    = aws_lambda_function.function[f].function_name
    alias   = local.alias[f].name
    newest  = aws_lambda_function.function[f].version
    running = local.alias[f].function_version
    logs    = aws_cloudwatch_log_group.function[f].name
  } }
}

output "codedeploy" {
  description = "The CodeDeploy application of canary deploys, whose deployment groups are named as the functions; null without canary."
  value       = one(aws_codedeploy_app.functions[*].name)
}

output "alarms" {
  description = "Every alarm by its name, with its kind (the heading in docs/runbook.md)."
  value       = { for name, a in local.alarms : "${var.name}-${name}" => a.kind }
}

output "network" {
  description = "The network that the functions are in (null without one), and the route tables of the private subnets if it was made here, for routes of yours where nat is none."
  value = {
    vpc_id          = local.in_vpc ? local.vpc_id : null
    subnet_ids      = local.in_vpc ? local.subnet_ids : []
    route_table_ids = [for t in values(aws_route_table.private) : t.id]
    nat_ips         = [for ip in values(aws_eip.nat) : ip.public_ip]
  }
}

output "domain_target" {
  description = "What a DNS record of api.domain must lead to, if it is not made here; null without a domain."
  value       = one(aws_apigatewayv2_domain_name.api[*].domain_name_configuration[0].target_domain_name)
}

output "releases" {
  description = "For infra/terraform/release, a line for each function, the last of the chain first: deployment group, function, alias, newest version."
  value = var.canary ? join("\n", [for f in ["callback", "infer", "schedule", "ingest"] :
    "${aws_codedeploy_deployment_group.function[f].deployment_group_name} ${aws_lambda_function.function[f].function_name} ${local.alias[f].name} ${aws_lambda_function.function[f].version}"
  ]) : null
}
