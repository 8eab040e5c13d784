output "endpoint" {
  description = "The base URL of the API."
  value       = module.baton.endpoint
}

output "curl" {
  description = "A request to send."
  value       = module.baton.curl
}

output "queues" {
  description = "The queues, by lane."
  value       = module.baton.queues
}

output "sqs_url" {
  description = "What the queues' URLs begin with."
  value       = module.baton.sqs_url
}

output "functions" {
  description = "The functions, their versions and logs."
  value       = module.baton.functions
}

output "codedeploy" {
  description = "null: an apply is the deploy."
  value       = module.baton.codedeploy
}

output "alarms" {
  description = "The alarms, with their headings in docs/runbook.md."
  value       = module.baton.alarms
}

output "objects" {
  description = "The bucket of parts, files and batches."
  value       = module.baton.objects
}
