"""``ziggie-gpu-auto-shutdown``: ends GPU instances that are idle, and explains each decision.

Packaged as the folder ``gpu_auto_shutdown/`` at the root of the zip; Lambda starts :data:`HANDLER`.
Imports run one way: ``handler → instances, metrics, acting, notice, result → decision → evidence →
settings``. The last three are pure: no boto3, no clock, no environment of their own.
"""

from __future__ import annotations

HANDLER = "gpu_auto_shutdown.handler.lambda_handler"
"""What Lambda's ``Handler`` setting says, when this folder stands at the root of the zip."""

READ_PERMISSIONS = (
    "cloudwatch:GetMetricData",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotInstanceRequests",
)
"""They know no resource or tag to limit them by: in a statement of their own, with ``Resource: *``."""

INSTANCE_PERMISSIONS = (
    "ec2:CreateTags",
    "ec2:DeleteTags",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
)
"""On ``instance/*``, limited by ``aws:ResourceTag/Project``; the tag writes also to :data:`TAG_KEYS`."""

SPOT_PERMISSIONS = ("ec2:CancelSpotInstanceRequests",)
"""On ``spot-instances-request/*``, limited by ``aws:ResourceTag/Project`` where requests are tagged."""

NOTICE_PERMISSIONS = ("sns:Publish",)
"""On the topic."""

PERMISSIONS = (*READ_PERMISSIONS, *INSTANCE_PERMISSIONS, *SPOT_PERMISSIONS, *NOTICE_PERMISSIONS)
"""All IAM actions the function needs; its log group's are the Lambda service's usual ones."""

TAG_KEYS = ("idle-since", "ziggie:end-announced", "ziggie:reported")
"""The only tags the function writes or removes, for a condition on ``aws:TagKeys``."""
