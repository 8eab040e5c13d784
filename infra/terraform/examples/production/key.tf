# One key for queues, objects, results and logs, so that one policy says who may read them, and one switch takes that away.

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}

resource "aws_kms_key" "baton" {
  description         = "Baton: queues, objects, results, logs"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # In a key's policy, * is this key. The account then decides by IAM.
        Sid       = "AccountByIam", Effect = "Allow"
        Action    = "kms:*"
        Resource  = "*"
        Principal = { AWS = "arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.here.account_id}:root" }
      },
      {
        Sid       = "Logs", Effect = "Allow"
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.here.partition}:logs:${var.region}:${data.aws_caller_identity.here.account_id}:log-group:*" } }
      },
    ]
  })
}

resource "aws_kms_alias" "baton" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.baton.key_id
}
