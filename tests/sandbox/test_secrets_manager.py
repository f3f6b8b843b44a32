"""Secrets Manager: a rotation shows at once, as on AWS, and not on bare moto."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ziggie_nb.packaging import zipped

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


def test_setting_a_schedule_leaves_the_versions_as_they_are(aws: Aws) -> None:
    """AWS takes the version of its test away again; moto leaves one that waits for ever."""
    client, function = aws.client("secretsmanager"), a_function(aws)
    client.create_secret(Name="ziggie/test", SecretString="first")
    client.rotate_secret(
        SecretId="ziggie/test",
        RotationLambdaARN=function,
        RotationRules={"AutomaticallyAfterDays": 90},
        RotateImmediately=False,
    )
    found = client.describe_secret(SecretId="ziggie/test")
    assert (found["RotationEnabled"], found["RotationLambdaARN"]) == (True, function)
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 90}
    assert client.get_secret_value(SecretId="ziggie/test")["SecretString"] == "first"
    assert list(found["VersionIdsToStages"].values()) == [["AWSCURRENT"]]


def a_function(aws: Aws) -> str:
    """Make a function; return its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = aws.client("iam").create_role(RoleName="test", AssumeRolePolicyDocument=json.dumps(trust))
    made: str = aws.client("lambda").create_function(
        FunctionName="test",
        Runtime="python3.13",
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": zipped({"index.py": b"def handler(event, context): pass\n"})},
    )["FunctionArn"]
    return made
