# Interface endpoints: traffic to these services stays in the network, at a price by the hour and zone. Worth it where
# their traffic through NAT would cost more (about 200 GB a month), or must not leave.

resource "aws_security_group" "endpoints" {
  count = local.in_vpc && length(var.network.endpoints) > 0 ? 1 : 0

  name        = "${var.name}-endpoints"
  description = "Baton: interface endpoints"
  vpc_id      = local.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = length(aws_security_group.endpoints) > 0 ? local.function_groups : {}

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "Functions"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.function[each.key].id
}

# To S3 there is another kind, which costs nothing: without it every part and file would pass the NAT gateway twice.
resource "aws_vpc_endpoint" "s3" {
  count = local.own_vpc && local.objects ? 1 : 0

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for t in values(aws_route_table.private) : t.id]
  tags              = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "service" {
  for_each = local.in_vpc ? var.network.endpoints : []

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  tags                = { Name = "${var.name}-${each.key}" }
}
