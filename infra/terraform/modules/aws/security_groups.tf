# Who may talk to whom. Functions listen to nobody. Ingest and schedule talk to AWS and Valkey only; infer and callback
# to any address and port, since models and receivers may be anywhere (which of them callback may reach is decided by
# the program, at connect time). Valkey answers the functions only.

locals {
  function_groups = local.in_vpc ? { inside = "ingest and schedule", outside = "infer and callback" } : {}
  valkey_ports    = { nodes = [6379], serverless = [6379, 6380], external = [] }[var.results.mode]
}

resource "aws_security_group" "function" {
  for_each = local.function_groups

  name        = "${var.name}-functions-${each.key}"
  description = "Baton: ${each.value}"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.in_vpc ? toset(["inside"]) : []

  security_group_id = aws_security_group.function[each.key].id
  description       = "AWS services"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "anywhere" {
  # Where a Redis of yours is, is not known here: with one, ingest and schedule may go anywhere too.
  for_each = local.in_vpc ? toset(var.results.mode == "external" ? ["inside", "outside"] : ["outside"]) : []

  security_group_id = aws_security_group.function[each.key].id
  description       = "Models and receivers"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "results" {
  count = length(local.valkey_ports) > 0 ? 1 : 0

  name        = "${var.name}-results"
  description = "Baton: Valkey"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "results" {
  for_each = { for pair in setproduct(keys(local.function_groups), local.valkey_ports) : "${pair[0]}-${pair[1]}" => pair }

  security_group_id            = aws_security_group.results[0].id
  description                  = "Functions"
  ip_protocol                  = "tcp"
  from_port                    = each.value[1]
  to_port                      = each.value[1]
  referenced_security_group_id = aws_security_group.function[each.value[0]].id
}

resource "aws_vpc_security_group_egress_rule" "results" {
  for_each = { for port in local.valkey_ports : tostring(port) => port }

  security_group_id            = aws_security_group.function["inside"].id
  description                  = "Valkey"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.results[0].id
}
