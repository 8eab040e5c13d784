# The way out: a NAT gateway in a public subnet of one zone, or of each. A zone without one uses the first zone's.

resource "aws_internet_gateway" "own" {
  count  = length(local.nat_zone) > 0 ? 1 : 0
  vpc_id = aws_vpc.own[0].id
  tags   = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = toset(local.nat_zone)

  vpc_id            = aws_vpc.own[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.network.cidr, 4, 8 + local.zones[each.key])
  tags              = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count  = length(local.nat_zone) > 0 ? 1 : 0
  vpc_id = aws_vpc.own[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  count = length(local.nat_zone) > 0 ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.own[0].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  for_each = aws_subnet.public

  domain = "vpc"
  tags   = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "zone" {
  for_each = aws_subnet.public

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = each.value.id
  tags          = { Name = "${var.name}-${each.key}" }

  depends_on = [aws_route.public]
}

resource "aws_route" "private" {
  for_each = length(local.nat_zone) > 0 ? local.zones : {}

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.zone[contains(local.nat_zone, each.key) ? each.key : local.nat_zone[0]].id
}
