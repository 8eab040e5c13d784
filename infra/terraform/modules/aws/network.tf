# The network, unless one is given. The functions and Valkey are in private subnets. Infer and callback must reach model
# servers and receivers on the internet, most of which have IPv4 only, so there is a NAT gateway; SQS and Secrets
# Manager go through it too, unless they have an endpoint. With results kept outside (results.mode external) nothing
# needs a network, and none is made.

locals {
  in_vpc   = var.results.mode != "external" || var.network.vpc_id != null
  own_vpc  = local.in_vpc && var.network.vpc_id == null
  zones    = local.own_vpc ? { for i, z in slice(data.aws_availability_zones.here[0].names, 0, var.network.zones) : z => i } : {}
  first    = slice(sort(keys(local.zones)), 0, min(1, length(local.zones)))
  nat_zone = { none = [], single = local.first, zonal = keys(local.zones) }[var.network.nat]

  vpc_id     = local.own_vpc ? aws_vpc.own[0].id : var.network.vpc_id
  subnet_ids = local.own_vpc ? [for s in values(aws_subnet.private) : s.id] : var.network.subnet_ids
}

data "aws_availability_zones" "here" {
  count = local.own_vpc ? 1 : 0
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

resource "aws_vpc" "own" {
  count = local.own_vpc ? 1 : 0

  cidr_block           = var.network.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# The default group lets its members talk to each other. Nothing here is in it, and so nothing shall be.
resource "aws_default_security_group" "own" {
  count  = local.own_vpc ? 1 : 0
  vpc_id = aws_vpc.own[0].id
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.own[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.network.cidr, 4, each.value)
  tags              = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.own[0].id
  tags   = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}
