variable "name" {
  description = "Begins the name of everything that is made, and of every queue."
  type        = string
  default     = "baton"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name)) && !endswith(var.name, "-")
    error_message = "name is \"${var.name}\": use 2 to 24 of a-z, 0-9 and -, beginning with a letter and not ending with -. Queue names are made of it, and AWS allows 80 characters for those."
  }
}

variable "config" {
  description = "Path of the baton.yaml that the functions run with. What it says decides which queues there are."
  type        = string
}

variable "packages" {
  description = "Directory with ingest.zip, schedule.zip, infer.zip and callback.zip, as \"make lambda\" leaves them in dist/lambda/arm64."
  type        = string
}

variable "retired_targets" {
  description = "Targets that have left baton.yaml and whose queues may still hold requests: their queues stay until you take the name off this list."
  type        = list(string)
  default     = []
}

variable "secrets" {
  description = "For every env:NAME in baton.yaml, the ARN of the Secrets Manager secret that holds it. The values stay out of Terraform."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^ ]+-[A-Za-z0-9]{6}$", arn))])
    error_message = "secrets must map names to full ARNs of Secrets Manager secrets, such as arn:aws:secretsmanager:eu-central-1:123456789012:secret:baton/openai-AbCdEf. \"aws secretsmanager describe-secret --secret-id NAME --query ARN\" prints one. Never put the value itself here: it would be in the state."
  }
}

variable "functions" {
  description = "Per function: memory in MiB (CPU comes with it), timeout in seconds (an answer of ingest takes 28 at most, whatever it is: the rest is for the steps of batches), and for schedule and callback how many invocations of one priority may run at once (infer takes that from the targets' concurrency)."
  type = object({
    ingest   = optional(object({ memory = optional(number, 256), timeout = optional(number, 120), reserved = optional(number) }), {})
    schedule = optional(object({ memory = optional(number, 256), timeout = optional(number, 60), concurrency = optional(number, 20) }), {})
    infer    = optional(object({ memory = optional(number, 128), timeout = optional(number, 120) }), {})
    callback = optional(object({ memory = optional(number, 256), timeout = optional(number, 60), concurrency = optional(number, 50) }), {})
  })
  default = {}

  validation {
    condition     = alltrue([for f in values(var.functions) : f.memory >= 128 && f.memory <= 10240])
    error_message = "functions: memory is in MiB and must be from 128 to 10240."
  }
  validation {
    condition     = alltrue([for f in values(var.functions) : f.timeout >= 10 && f.timeout <= 900])
    error_message = "functions: a timeout must be from 10 to 900 seconds; Lambda ends every invocation after 900."
  }
  validation {
    condition     = alltrue([for f in [var.functions.schedule, var.functions.callback] : f.concurrency >= 2 && f.concurrency <= 1000])
    error_message = "functions: concurrency must be from 2 to 1000, the range of MaximumConcurrency of an SQS event source mapping."
  }
}

variable "api" {
  description = "The HTTP door: requests a second and burst over all callers; and, as a second lock before Baton's own keys, a JWT that callers send in a header of its own (Authorization holds their Baton key)."
  type = object({
    rate   = optional(number, 100)
    burst  = optional(number, 200)
    jwt    = optional(object({ issuer = string, audience = set(string), header = optional(string, "X-Gateway-Token") }))
    domain = optional(object({ name = string, certificate_arn = string, zone_id = optional(string) }))
  })
  default = {}

  validation {
    condition     = var.api.rate >= 1 && var.api.burst >= 1
    error_message = "api.rate and api.burst must be at least 1: API Gateway refuses everything at 0. To shut the door, see \"Stop taking requests\" in docs/runbook.md."
  }
  validation {
    condition     = var.api.jwt == null || try(startswith(var.api.jwt.issuer, "https://") && length(var.api.jwt.audience) > 0, false)
    error_message = "api.jwt needs the issuer as an https:// URL, as the iss claim of its tokens has it, and at least one audience."
  }
  validation {
    condition     = var.api.jwt == null || lower(try(var.api.jwt.header, "")) != "authorization"
    error_message = "api.jwt.header cannot be Authorization: that header carries the caller's Baton key. Choose another, such as X-Gateway-Token."
  }
}

variable "waf" {
  description = "Puts a web ACL before the API; null for none. AWS WAF cannot protect an HTTP API, so with it the door is a REST API: dearer by request, and without the JWT option. manage_log_role: set the region's one API Gateway log role too; false if your account has one."
  type = object({
    requests_per_5_minutes = optional(number, 10000)
    manage_log_role        = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.waf == null || try(var.waf.requests_per_5_minutes >= 10, false)
    error_message = "waf.requests_per_5_minutes must be at least 10: it is the limit of one client address."
  }
  validation {
    condition     = var.waf == null || var.api.jwt == null
    error_message = "waf and api.jwt exclude each other: WAF needs a REST API, and REST APIs have no JWT authorizer. Choose one, or check the token in a CDN before the API."
  }
}

variable "results" {
  description = <<-EOT
    Where results are kept for polling, and what the functions know together (budgets too: see the README). mode:
    serverless: Valkey that is paid by use, and grows and shrinks by itself, up to max_gb.
    nodes:      a Valkey replication group of nodes (two or more, in as many zones), of node_type; with night, smaller nodes by schedule.
    external:   a Redis or Valkey of your own, whose rediss:// URL is in the secret redis_url_secret_arn. Set its maxmemory-policy to noeviction.
  EOT
  type = object({
    mode                 = optional(string, "serverless")
    max_gb               = optional(number, 10)
    node_type            = optional(string, "cache.t4g.small")
    nodes                = optional(number, 2)
    night                = optional(object({ node_type = string, from = string, until = string, timezone = optional(string, "UTC") }))
    redis_url_secret_arn = optional(string)
  })
  default = {}

  validation {
    condition     = contains(["serverless", "nodes", "external"], var.results.mode)
    error_message = "results.mode is \"${var.results.mode}\": use serverless, nodes or external."
  }
  validation {
    condition     = var.results.mode != "nodes" || (var.results.nodes >= 2 && var.results.nodes <= 6)
    error_message = "results.nodes must be from 2 to 6: with one node, its failure forgets every result that was not yet polled."
  }
  validation {
    condition     = var.results.max_gb >= 1 && var.results.max_gb <= 5000
    error_message = "results.max_gb must be from 1 to 5000."
  }
  validation {
    condition     = (var.results.mode == "external") == (var.results.redis_url_secret_arn != null)
    error_message = "results.redis_url_secret_arn goes with mode external, and only with it: give the ARN of the secret that holds the rediss:// URL, or leave it out."
  }
  validation {
    condition     = var.results.night == null || var.results.mode == "nodes"
    error_message = "results.night is for mode nodes: the other modes cost nothing for size that is not used."
  }
  validation {
    condition     = var.results.night == null || alltrue([for s in [try(var.results.night.from, ""), try(var.results.night.until, "")] : can(regex("^cron\\(.+\\)$", s))])
    error_message = "results.night.from and .until are schedules of EventBridge, such as cron(0 20 ? * MON-FRI *)."
  }
}

variable "objects" {
  description = <<-EOT
    Where parts of requests that are too large for a queue are kept, files that callers upload, and batches: a bucket that is made, or one of
    yours, with the prefix of the keys (no slash at its end). Of yours, set the same rules: see the README. kms_key_arn: the key that your
    bucket encrypts with, if it is another than kms_key_arn of the module. enabled = false: what is too large is refused, and there are no files and
    no batches.
  EOT
  type = object({
    enabled     = optional(bool, true)
    bucket      = optional(string)
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  })
  default = {}

  validation {
    condition     = var.objects.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.objects.bucket))
    error_message = "objects.bucket must be the name of a bucket, without s3:// or anything behind it."
  }
  validation {
    condition     = can(regex("^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)?$", var.objects.prefix))
    error_message = "objects.prefix is \"${var.objects.prefix}\": use letters, digits, _, . and -, with slashes between words and none at the ends."
  }
  validation {
    condition     = var.objects.kms_key_arn == null || var.objects.bucket != null
    error_message = "objects.kms_key_arn goes with objects.bucket: the bucket that is made encrypts with the module's kms_key_arn."
  }
}

variable "intake_senders" {
  description = "For tenants with intake: {sqs: true} in baton.yaml, who of other accounts may send to the tenant's queue: ARNs of roles, users or accounts. With a kms_key_arn its policy must let them kms:GenerateDataKey and kms:Decrypt, too. Who is in this account needs no entry, but sqs:SendMessage on the queue by IAM."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue(flatten([for senders in values(var.intake_senders) : [for arn in senders : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|role/.+|user/.+)$", arn))]]))
    error_message = "intake_senders must list ARNs of roles, users or accounts (arn:aws:iam::ACCOUNT:root), and no wildcard: whoever may send there is the tenant."
  }
  validation {
    condition     = alltrue([for senders in values(var.intake_senders) : length(senders) > 0])
    error_message = "intake_senders has a tenant without senders: leave it out."
  }
}

variable "infer_policy_json" {
  description = "An IAM policy for infer beside its own, as JSON: for targets that take the role's credentials for a key (auth.sigv4 without access_key), such as bedrock:InvokeModel on the models they call."
  type        = string
  default     = null

  validation {
    condition     = var.infer_policy_json == null || can(jsondecode(var.infer_policy_json).Statement)
    error_message = "infer_policy_json must be a policy document as JSON, with Statement: jsonencode one, or take the json of an aws_iam_policy_document."
  }
}

variable "network" {
  description = <<-EOT
    The network of the functions and Valkey. Give vpc_id and subnet_ids (private, in two zones or more, with a way to the internet) to
    use yours; else one is made, of cidr, over so many zones. nat: zonal (a NAT gateway in each zone), single (one for all), or none
    (you add routes to the route tables that the module puts out). endpoints: AWS services that get an interface endpoint, such as sqs.
  EOT
  type = object({
    vpc_id     = optional(string)
    subnet_ids = optional(list(string), [])
    cidr       = optional(string, "10.64.0.0/20")
    zones      = optional(number, 2)
    nat        = optional(string, "single")
    endpoints  = optional(set(string), [])
  })
  default = {}

  validation {
    condition     = var.network.vpc_id == null ? length(var.network.subnet_ids) == 0 : length(var.network.subnet_ids) >= 2
    error_message = "network: vpc_id and subnet_ids go together, with two subnets or more, in different zones; or leave out both to have a network made."
  }
  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 15)) && try(tonumber(split("/", var.network.cidr)[1]) <= 24, false)
    error_message = "network.cidr is \"${var.network.cidr}\": give an IPv4 network of /24 or larger, such as 10.64.0.0/20."
  }
  validation {
    condition     = var.network.zones >= 2 && var.network.zones <= 6
    error_message = "network.zones must be from 2 to 6: with one, the loss of a zone stops everything."
  }
  validation {
    condition     = contains(["single", "zonal", "none"], var.network.nat)
    error_message = "network.nat is \"${var.network.nat}\": use single, zonal or none. Without a way to the internet, infer reaches no public model and callback no receiver."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of yours for queues, objects, results, logs and the alarm topic; null for encryption with keys that AWS holds. Its policy must allow the account to use it by IAM and CloudWatch Logs to use it (see examples/production/key.tf), and with alarms.emails CloudWatch too."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias."
  }
}

variable "retention" {
  description = "Days that are kept: messages (an unfinished request in its queue) and logs. Dead letters are kept 14 days, the most that SQS keeps anything."
  type        = object({ messages = optional(number, 4), logs = optional(number, 14) })
  default     = {}

  validation {
    condition     = var.retention.messages >= 4 && var.retention.messages <= 14
    error_message = "retention.messages must be from 4 to 14 days: less would not last over a long weekend, and SQS keeps no more."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.retention.logs)
    error_message = "retention.logs is ${var.retention.logs}: CloudWatch Logs keeps 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731 days."
  }
}

variable "canary" {
  description = "true: a new version of a function gets 10 % of the work for five minutes, and is rolled back if an alarm of the function rings; you start it with infra/terraform/release. false: it gets all of it with the apply."
  type        = bool
  default     = false
}

variable "alarms" {
  description = "Who hears of alarms (email addresses, or a topic of your own), and the thresholds: seconds that the oldest message of a priority may wait, ready callbacks of one queue, p99 of the API in milliseconds (0: no such alarm, for callers who hold requests open to wait), and invocations at once that the account allows."
  type = object({
    emails              = optional(set(string), [])
    topic_arn           = optional(string)
    oldest_seconds      = optional(object({ high = optional(number, 60), normal = optional(number, 300), low = optional(number, 1800) }), {})
    callback_backlog    = optional(number, 1000)
    latency_p99_ms      = optional(number, 500)
    account_concurrency = optional(number, 1000)
  })
  default = {}

  validation {
    condition     = alltrue([for e in var.alarms.emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", e))])
    error_message = "alarms.emails has something that is no email address."
  }
  validation {
    condition     = var.alarms.topic_arn == null || length(var.alarms.emails) == 0
    error_message = "alarms: give emails, for which a topic is made, or the topic_arn of yours; subscribe the addresses to your topic yourself."
  }
}

variable "budget" {
  description = "Warns at 80 % of so many US dollars a month, and when the forecast is over it. It counts the whole account, or only what is tagged Project = name if only_tagged (first activate that tag for cost allocation in the billing console). null: none."
  type        = object({ usd_a_month = number, emails = set(string), only_tagged = optional(bool, false) })
  default     = null

  validation {
    condition     = var.budget == null || try(var.budget.usd_a_month >= 1 && length(var.budget.emails) > 0, false)
    error_message = "budget needs usd_a_month of at least 1, and at least one address in emails: a budget that nobody hears of is none."
  }
}
