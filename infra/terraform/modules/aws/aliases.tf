# What runs is an alias of each function: "current" follows the newest version with the apply, "live" is moved by
# CodeDeploy and by nothing else. They have different names so that canary can be switched on and off: AWS has no two
# aliases of one name.

locals {
  alias = var.canary ? aws_lambda_alias.live : aws_lambda_alias.current
}

resource "aws_lambda_alias" "current" {
  for_each = var.canary ? {} : local.functions

  name             = "current"
  description      = "The newest version"
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = aws_lambda_function.function[each.key].version
}

resource "aws_lambda_alias" "live" {
  for_each = var.canary ? local.functions : {}

  name             = "live"
  description      = "Moved by CodeDeploy"
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = aws_lambda_function.function[each.key].version

  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
