"""Service Quotas corrected: the one quota that the runbook asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from ziggie_nb.sandbox.corrections import corrects

_GPU_SPOT = ("ec2", "L-3819A6DF")
_VCPUS = 8.0


@corrects(ServiceQuotasBackend, "get_service_quota")
def know_the_gpu_spot_quota(
    former: Callable[..., dict[str, Any]], backend: Any, service_code: str, quota_code: str
) -> dict[str, Any]:
    """Moto knows quotas of VPC only."""
    if (service_code, quota_code) != _GPU_SPOT:
        return former(backend, service_code, quota_code)
    arn = f"arn:aws:servicequotas:{backend.region_name}:{backend.account_id}:{service_code}/{quota_code}"
    return {
        "ServiceCode": service_code,
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": arn,
        "QuotaCode": quota_code,
        "QuotaName": "All G and VT Spot Instance Requests",
        "Value": _VCPUS,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def get_aws_default_service_quota(response: Any) -> str:
    """Answer with what AWS gives a new account: nothing; moto lacks the call."""
    asked = json.loads(response.body)
    quota = response.backend.get_service_quota(asked["ServiceCode"], asked["QuotaCode"])
    return json.dumps({"Quota": {**quota, "Value": 0.0}})


lacking: Any = ServiceQuotasResponse
lacking.get_aws_default_service_quota = get_aws_default_service_quota
