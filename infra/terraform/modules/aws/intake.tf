# Doors beside HTTP: a queue in-TENANT for each tenant whose requests are taken from one, and who may send there. Within the
# account IAM alone can allow it; another account needs the queue's own word, too.

resource "aws_sqs_queue_policy" "intake" {
  for_each = { for tenant, senders in var.intake_senders : "in-${tenant}" => senders if contains(keys(module.catalog.intakes), tenant) }

  queue_url = aws_sqs_queue.lane[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Senders", Effect = "Allow"
      Principal = { AWS = sort(each.value) }
      Action    = ["sqs:SendMessage"]
      Resource  = [local.queue_arns[each.key]]
      Condition = { Bool = { "aws:SecureTransport" = "true" } }
    }]
  })
}
