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
