variable "image" {
  description = "The functions' images, with {function} where the function's name goes."
  type        = string
}

variable "host" {
  description = "The host name of the API, its ingress class and the Secret with its certificate; null for no Ingress."
  type        = object({ name = string, class = optional(string), tls_secret = string })
  default     = null
}
