output "manifests" {
  description = "terraform output -raw manifests | kubectl apply -f -"
  value       = module.baton.manifests
}

output "nats_values" {
  description = "terraform output -raw nats_values > nats-values.yaml"
  value       = module.baton.nats_values
}

output "secret" {
  description = "The Secret to make first."
  value       = module.baton.secret
}
