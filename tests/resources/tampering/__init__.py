"""How somebody else changes, with plain boto3, each field of each resource's desired state.

One module for each service. Fields are named by dotted paths, in which ``*`` stands for a name that the
parameters decide. A field that is missing here fails ``test_contract.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import budgets, cloudfront, ec2, gpu_auto_shutdown, iam, mcp_entry, rotation, s3, secrets_manager
from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from ziggie_nb.core import Resource

__all__ = ["TABLES", "UNCHANGEABLE", "Path", "Table", "Tampering"]

TABLES: dict[type[Resource], Table] = {
    **iam.TABLE,
    **s3.TABLE,
    **cloudfront.TABLE,
    **secrets_manager.TABLE,
    **rotation.TABLE,
    **gpu_auto_shutdown.TABLE,
    **ec2.TABLE,
    **budgets.TABLE,
    **mcp_entry.TABLE,
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    **iam.UNCHANGEABLE,
    **s3.UNCHANGEABLE,
    **secrets_manager.UNCHANGEABLE,
    **rotation.UNCHANGEABLE,
    **gpu_auto_shutdown.UNCHANGEABLE,
    **ec2.UNCHANGEABLE,
}
"""Fields that nobody can tamper with, each with its reason."""
