# A bucket for what is too large for a queue: parts of requests, files that callers upload, and batches. Nothing in it is
# for long: what is not removed by the functions expires. Callers reach it by presigned URLs of ingest's, and by nothing else.

locals {
  objects     = var.objects.enabled
  own_objects = local.objects && var.objects.bucket == null

  bucket     = var.objects.bucket == null ? "${var.name}-objects-${local.account}-${local.region}" : var.objects.bucket
  bucket_arn = "arn:${local.partition}:s3:::${local.bucket}"
  key_prefix = var.objects.prefix == "" ? "" : "${var.objects.prefix}/"

  # What the keys begin with, and the days after which what is left there is removed: the longest that the program keeps it.
  kinds = {
    parts    = 3  # of requests, which end within a day, and some time for their calls
    files    = 30 # that callers upload, and the answers of batches
    batches  = 9  # on their way for a day, to be looked at for seven
    uploads  = 1  # that were announced
    incoming = 1  # of what is larger than one request of S3, until it is whole
  }
  object_arns = { for kind in keys(local.kinds) : kind => "${local.bucket_arn}/${local.key_prefix}${kind}/*" }

  # Who may do what with which objects. Ingest takes in parts, files and batches, and works the batches off; schedule reads
  # requests, infer requests with their parts and files; callback removes what a request that has ended had there.
  object_grants = {
    ingest   = { "s3:GetObject" = keys(local.kinds), "s3:PutObject" = keys(local.kinds), "s3:DeleteObject" = keys(local.kinds), "s3:AbortMultipartUpload" = ["incoming"] }
    schedule = { "s3:GetObject" = ["parts"] }
    infer    = { "s3:GetObject" = ["parts", "files"] }
    callback = { "s3:DeleteObject" = ["parts"] }
  }

  object_statements = { for f, grants in local.object_grants : f => concat(
    [for action, kinds in grants : {
      Sid      = trimprefix(action, "s3:"), Effect = "Allow"
      Action   = [action]
      Resource = [for kind in sort(kinds) : local.object_arns[kind]]
    }],
    # Without it S3 answers 403 for an object that is not there, as if the store were away, and the request would be tried
    # again where it is to fail. A condition on the prefix would take that from it again.
    contains(keys(grants), "s3:GetObject") ? [{ Sid = "TellWhatIsNotThere", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.bucket_arn] }] : [],
    var.objects.kms_key_arn == null || var.objects.kms_key_arn == var.kms_key_arn ? [] : [{
      Sid      = "UseKeyOfObjects", Effect = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.objects.kms_key_arn]
    }],
  ) if local.objects }
}

resource "aws_s3_bucket" "objects" {
  count  = local.own_objects ? 1 : 0
  bucket = local.bucket
}

resource "aws_s3_bucket_public_access_block" "objects" {
  count = local.own_objects ? 1 : 0

  bucket                  = aws_s3_bucket.objects[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "objects" {
  count  = local.own_objects ? 1 : 0
  bucket = aws_s3_bucket.objects[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "objects" {
  count  = local.own_objects ? 1 : 0
  bucket = aws_s3_bucket.objects[0].id

  rule {
    bucket_key_enabled = var.kms_key_arn != null # a request to KMS for many objects, not for each

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "objects" {
  count  = local.own_objects ? 1 : 0
  bucket = aws_s3_bucket.objects[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OverTLSOnly", Effect = "Deny"
      Principal = "*"
      Action    = ["s3:*"]
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.objects]
}

resource "aws_s3_bucket_lifecycle_configuration" "objects" {
  count  = local.own_objects ? 1 : 0
  bucket = aws_s3_bucket.objects[0].id

  dynamic "rule" {
    for_each = local.kinds
    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${local.key_prefix}${rule.key}/"
      }
      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {
      prefix = local.key_prefix
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
