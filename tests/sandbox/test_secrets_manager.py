"""Secrets Manager: a rotation shows at once, as on AWS, and not on bare moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Aws


def test_the_value_read_is_the_one_that_is_current(aws: Aws) -> None:
    """Moving AWSCURRENT is the last step of a rotation; applications read the new value from then on."""
    client = aws.client("secretsmanager")
    first = client.create_secret(Name="ziggie/test", SecretString="first")["VersionId"]
    second = client.put_secret_value(
        SecretId="ziggie/test", SecretString="second", VersionStages=["AWSPENDING"]
    )["VersionId"]
    client.update_secret_version_stage(
        SecretId="ziggie/test",
        VersionStage="AWSCURRENT",
        MoveToVersionId=second,
        RemoveFromVersionId=first,
    )
    assert client.get_secret_value(SecretId="ziggie/test")["SecretString"] == "second"
