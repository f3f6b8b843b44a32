"""Prices the estimates are computed from: US dollars, eu-north-1, as published on :data:`AS_OF`.

Each has its page; the live Price List API is not asked unless somebody wants it.
"""

from __future__ import annotations

AS_OF = "2025-12-24"

# https://aws.amazon.com/s3/pricing/ - first 50 TB a month
S3_STANDARD_GB_MONTH = 0.023
# https://aws.amazon.com/cloudfront/pricing/ - Europe and North America, after the always-free 1 TB a month
CLOUDFRONT_GB = 0.085
CLOUDFRONT_FREE_GB_MONTH = 1024
# https://aws.amazon.com/lambda/pricing/ - x86; a million calls and 400,000 GB-seconds a month are always free
LAMBDA_CALL = 0.20 / 1_000_000
LAMBDA_FREE_CALLS_MONTH = 1_000_000
LAMBDA_GB_SECOND = 0.0000166667
LAMBDA_FREE_GB_SECONDS_MONTH = 400_000
# https://aws.amazon.com/cloudwatch/pricing/ - a standard alarm on one metric, after the ten that are free
CLOUDWATCH_ALARM_MONTH = 0.10
# https://aws.amazon.com/ec2/pricing/on-demand/ - Linux; by region and type
EC2_ON_DEMAND_HOUR = {("eu-north-1", "g4dn.xlarge"): 0.558}
# https://aws.amazon.com/secrets-manager/pricing/ - each secret; nothing while it is scheduled for deletion
SECRET_MONTH = 0.40
# https://aws.amazon.com/vpc/pricing/ - a NAT gateway by the hour, without its traffic; a month has 730 hours
NAT_GATEWAY_MONTH = 0.046 * 730
