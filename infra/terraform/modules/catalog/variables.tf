variable "config" {
  description = "Path of the baton.yaml that the functions run with."
  type        = string

  validation {
    condition     = fileexists(var.config)
    error_message = "There is no file ${var.config}. Give the path of your baton.yaml, such as \"$${path.module}/baton.yaml\"."
  }
  validation {
    condition     = !fileexists(var.config) || can(keys(yamldecode(file(var.config)).models))
    error_message = "${var.config} is no valid baton.yaml: it must be YAML with a mapping named models. \"baton check ${var.config}\" says what is wrong and in which line. If it finds nothing, the file merges a list of anchors (<<: [*a]), which Terraform cannot read: write <<: *a."
  }
}

variable "retired_targets" {
  description = "Targets that have left the file and whose lanes may still hold requests."
  type        = list(string)
  default     = []
}
