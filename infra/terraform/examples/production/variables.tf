variable "region" {
  description = "Where everything is made. It must have three zones."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "Begins every name."
  type        = string
  default     = "baton"
}

variable "owner" {
  description = "The team that is on call: a tag of everything."
  type        = string

  validation {
    condition     = trimspace(var.owner) != ""
    error_message = "owner is empty: name the team that is on call, so that who finds a resource knows whom to ask."
  }
}

variable "cost_center" {
  description = "Who pays: a tag of everything."
  type        = string

  validation {
    condition     = trimspace(var.cost_center) != ""
    error_message = "cost_center is empty: name who pays, as your cost reports group it."
  }
}

variable "secrets" {
  description = "For every env:NAME in baton.yaml, the ARN of its secret in Secrets Manager."
  type        = map(string)
}

variable "domain" {
  description = "The name of the API, a certificate of ACM for it in the same region, and the Route 53 zone to put it in (null: make the record yourself)."
  type        = object({ name = string, certificate_arn = string, zone_id = optional(string) })

  validation {
    condition     = can(regex("^[a-z0-9-]+([.][a-z0-9-]+)+$", var.domain.name)) && can(regex("^arn:[a-z-]+:acm:", var.domain.certificate_arn))
    error_message = "domain needs a name such as baton.example.com, and the ARN of an ACM certificate for it."
  }
}

variable "alarm_topic_arn" {
  description = "The SNS topic that your on-call tool listens to."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic: without one, nobody hears of an alarm."
  }
}

variable "budget" {
  description = "US dollars a month, and who hears when 80 % are spent or more will be."
  type        = object({ usd_a_month = number, emails = set(string) })
}

variable "account_concurrency" {
  description = "The account's quota of concurrent Lambda executions in the region: \"aws lambda get-account-settings\" says it. Have it raised before you need it."
  type        = number
}

variable "packages" {
  description = "Where \"make lambda\" left the zip files; null for dist/lambda/arm64 of this project."
  type        = string
  default     = null
}
