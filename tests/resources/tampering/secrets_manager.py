"""How somebody else changes what Secrets Manager tells of a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.resources import secrets_manager

from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

ANOTHER_KEY = "arn:aws:kms:eu-north-1:123456789012:key/11111111-2222-3333-4444-555555555555"


def describe_otherwise(account: Account, secret: secrets_manager.Secret, _path: Path) -> str:
    """Change the description."""
    account.raw("secretsmanager").update_secret(SecretId=secret.name, Description="edited by hand")
    return "edited by hand"


def encrypt_otherwise(account: Account, secret: secrets_manager.Secret, _path: Path) -> str:
    """Take another key."""
    account.raw("secretsmanager").update_secret(SecretId=secret.name, KmsKeyId=ANOTHER_KEY)
    return ANOTHER_KEY


def tag_otherwise(account: Account, secret: secrets_manager.Secret, path: Path) -> str | None:
    """Change a tag, or take away the one that says whose it is."""
    client = account.raw("secretsmanager")
    if path[1] == "ZiggieOrigin":
        client.untag_resource(SecretId=secret.name, TagKeys=[path[1]])
        return None
    client.tag_resource(SecretId=secret.name, Tags=[{"Key": path[1], "Value": "0.0.1"}])
    return "0.0.1"


TABLE: dict[type[Resource], Table] = {
    secrets_manager.Secret: {
        "description": Tampering(describe_otherwise, ("secretsmanager:UpdateSecret",)),
        "kms_key": Tampering(encrypt_otherwise, ("secretsmanager:UpdateSecret",)),
        "tags.*": Tampering(tag_otherwise, ("secretsmanager:TagResource",)),
    }
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    secrets_manager.Secret: {
        "value": "AWSCURRENT can be moved and not be taken away; test_secrets_manager.py"
    }
}
