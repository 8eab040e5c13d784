variable "config" {
  description = "Path of the baton.yaml that the functions run with. What it says decides which consumers are scaled on."
  type        = string
}

variable "namespace" {
  description = "The namespace of everything, NATS included."
  type        = string
  default     = "baton"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace is \"${var.namespace}\": Kubernetes allows 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit."
  }
}

variable "image" {
  description = "The functions' images, with {function} where the function's name goes, such as registry.example.com/baton-{function}:1.2.3."
  type        = string

  validation {
    condition     = strcontains(var.image, "{function}")
    error_message = "image is \"${var.image}\": put {function} where ingest, schedule, infer or callback goes, such as registry.example.com/baton-{function}:1.2.3. The Dockerfile builds one image for each."
  }
  validation {
    condition     = can(regex("(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image is \"${var.image}\": end it with a version (:1.2.3) or digest (@sha256:…) and not :latest, so that a rollback has something to go back to."
  }
}

variable "secret" {
  description = "The Kubernetes Secret, in the namespace, that holds every env:NAME of baton.yaml under the key NAME. You make it: the values stay out of Terraform."
  type        = string
  default     = "baton"
}

variable "redis_url" {
  description = <<-EOT
    The key of a Kubernetes Secret in the namespace that holds the redis:// or rediss:// URL of a Redis or Valkey of yours; secret: that
    of var.secret if not given. null: the chain runs without one, each pod goes by what it sees itself, and no tenant may have a budget.
    For budgets, set its maxmemory-policy to noeviction and appendonly to yes.
  EOT
  type        = object({ secret = optional(string), key = optional(string, "BATON_REDIS_URL") })
  default     = null
}

variable "nats" {
  description = "NATS as its official chart runs it: servers (1, or 3 or 5 for a cluster), disk of each, its storage class (null: the cluster's default), the image tag, and sync: interval (the disk is synced every two minutes; other servers have the data) or always (before each answer; what a single server needs)."
  type = object({
    servers       = optional(number, 3)
    disk          = optional(string, "20Gi")
    storage_class = optional(string)
    tag           = optional(string, "2.15-alpine")
    sync          = optional(string, "interval")
  })
  default = {}

  validation {
    condition     = contains([1, 3, 5], var.nats.servers)
    error_message = "nats.servers is ${var.nats.servers}: use 1, 3 or 5. A cluster goes on while more than half of it runs, so an even number adds cost and no safety."
  }
  validation {
    condition     = contains(["interval", "always"], var.nats.sync) && (var.nats.servers > 1 || var.nats.sync == "always")
    error_message = "nats.sync must be interval or always, and with one server always: nobody else has what it had not written when the power goes."
  }
  validation {
    condition     = can(regex("^[1-9][0-9]*[GT]i$", var.nats.disk))
    error_message = "nats.disk is \"${var.nats.disk}\": give a size such as 20Gi."
  }
}

variable "scale" {
  description = "How many pods a function may have, and ingest must have. With redis_url, a target's concurrency is that of all pods together; without, or while it is away, each pod of infer may call as often: concurrency × infer.max in all."
  type = object({
    ingest   = optional(object({ min = optional(number, 2), max = optional(number, 10) }), {})
    schedule = optional(object({ max = optional(number, 5) }), {})
    infer    = optional(object({ max = optional(number, 5) }), {})
    callback = optional(object({ max = optional(number, 5) }), {})
  })
  default = {}

  validation {
    condition     = var.scale.ingest.min >= 1 && var.scale.ingest.max >= var.scale.ingest.min
    error_message = "scale.ingest needs at least one pod, and max of at least min: it answers HTTP, and nothing is there to wake it from zero."
  }
  validation {
    condition     = alltrue([for f in [var.scale.schedule, var.scale.infer, var.scale.callback] : f.max >= 1 && f.max <= 100])
    error_message = "scale: max must be from 1 to 100 pods."
  }
}

variable "host" {
  description = "The host name of the API, for which an Ingress is made; null for none: the Service ingest is reached from within the cluster."
  type        = object({ name = string, class = optional(string), tls_secret = string })
  default     = null
}
