variable "region" {
  description = "Where everything is made, and its cost counted: docs/cost.md counts in us-east-1, which is the cheapest."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "Begins every name. Two installations in one account and region need two."
  type        = string
  default     = "baton"
}

variable "secrets" {
  description = "For every env:NAME in baton.yaml, the ARN of its secret in Secrets Manager."
  type        = map(string)
}

variable "alarm_emails" {
  description = "Who hears of alarms. Each address gets a mail to confirm first."
  type        = set(string)
}

variable "redis_url_secret_arn" {
  description = "The secret with the rediss:// URL of a Redis or Valkey of yours. With it, neither a network, NAT nor Valkey is made, and next to nothing is paid while idle."
  type        = string
  default     = null
}

variable "packages" {
  description = "Where \"make lambda\" left the zip files; null for dist/lambda/arm64 of this project."
  type        = string
  default     = null
}
