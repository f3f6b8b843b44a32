"""IAM, STS and Secrets Manager: what AWS refuses is refused here, and not by bare moto."""

from __future__ import annotations

import json
import re

from .conftest import Aws, refusal

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def test_an_attached_policy_cannot_be_deleted(aws: Aws) -> None:
    """Detached, it can."""
    iam = aws.client("iam")
    arn = iam.create_policy(PolicyName="ziggie", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_user(UserName="ziggie")
    iam.attach_user_policy(UserName="ziggie", PolicyArn=arn)
    assert refusal(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    iam.detach_user_policy(UserName="ziggie", PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)


def test_a_policy_with_old_versions_cannot_be_deleted(aws: Aws) -> None:
    """They must go first; the default goes with the policy."""
    iam = aws.client("iam")
    arn = iam.create_policy(PolicyName="ziggie", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)
    assert refusal(iam.delete_policy, PolicyArn=arn) == ("DeleteConflict", 409)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)


def test_attaching_twice_counts_once(aws: Aws) -> None:
    """Attaching is safe to repeat."""
    iam = aws.client("iam")
    arn = iam.create_policy(PolicyName="ziggie", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_user(UserName="ziggie")
    iam.attach_user_policy(UserName="ziggie", PolicyArn=arn)
    iam.attach_user_policy(UserName="ziggie", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1


def test_a_user_with_an_access_key_cannot_be_deleted(aws: Aws) -> None:
    """Without the key, it can."""
    iam = aws.client("iam")
    iam.create_user(UserName="ziggie")
    key = iam.create_access_key(UserName="ziggie")["AccessKey"]["AccessKeyId"]
    assert refusal(iam.delete_user, UserName="ziggie") == ("DeleteConflict", 409)
    iam.delete_access_key(UserName="ziggie", AccessKeyId=key)
    iam.delete_user(UserName="ziggie")


def test_a_user_in_a_group_cannot_be_deleted(aws: Aws) -> None:
    """Outside the group, it can."""
    iam = aws.client("iam")
    iam.create_user(UserName="ziggie")
    iam.create_group(GroupName="studio")
    iam.add_user_to_group(UserName="ziggie", GroupName="studio")
    assert refusal(iam.delete_user, UserName="ziggie") == ("DeleteConflict", 409)
    iam.remove_user_from_group(UserName="ziggie", GroupName="studio")
    iam.delete_user(UserName="ziggie")


def test_users_and_roles_with_policies_cannot_be_deleted(emptied: Aws) -> None:
    """moto does this right; if it ever stops, this says so."""
    iam = emptied.client("iam")
    arn = iam.create_policy(PolicyName="ziggie", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_user(UserName="ziggie")
    iam.create_role(RoleName="ziggie", AssumeRolePolicyDocument=TRUST)
    iam.attach_user_policy(UserName="ziggie", PolicyArn=arn)
    iam.attach_role_policy(RoleName="ziggie", PolicyArn=arn)
    assert refusal(iam.delete_user, UserName="ziggie") == ("DeleteConflict", 409)
    assert refusal(iam.delete_role, RoleName="ziggie") == ("DeleteConflict", 409)


def test_a_role_with_an_inline_policy_or_a_profile_cannot_be_deleted(emptied: Aws) -> None:
    """moto does this right; if it ever stops, this says so."""
    iam = emptied.client("iam")
    iam.create_role(RoleName="ziggie", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="ziggie", PolicyName="inline", PolicyDocument=POLICY)
    assert refusal(iam.delete_role, RoleName="ziggie") == ("DeleteConflict", 409)
    iam.delete_role_policy(RoleName="ziggie", PolicyName="inline")
    iam.create_instance_profile(InstanceProfileName="ziggie")
    iam.add_role_to_instance_profile(InstanceProfileName="ziggie", RoleName="ziggie")
    assert refusal(iam.delete_role, RoleName="ziggie") == ("DeleteConflict", 409)


def test_a_policy_holds_five_versions_and_keeps_its_default(emptied: Aws) -> None:
    """moto does this right; if it ever stops, this says so."""
    iam = emptied.client("iam")
    arn = iam.create_policy(PolicyName="ziggie", PolicyDocument=POLICY)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)
    sixth = refusal(iam.create_policy_version, PolicyArn=arn, PolicyDocument=POLICY)
    assert sixth == ("LimitExceeded", 409)
    default = refusal(iam.delete_policy_version, PolicyArn=arn, VersionId="v1")
    assert default == ("DeleteConflict", 409)


def test_a_policy_of_awss_own_can_be_attached(emptied: Aws) -> None:
    """The GPU instance's role needs one."""
    iam = emptied.client("iam")
    iam.create_role(RoleName="ziggie", AssumeRolePolicyDocument=TRUST)
    arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    iam.attach_role_policy(RoleName="ziggie", PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName="ziggie")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]


def test_the_caller_is_a_user_that_can_exist(aws: Aws) -> None:
    """moto's caller is a user of STS, and there are none."""
    identity = aws.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert re.fullmatch(r"arn:aws:iam::123456789012:user/\w+", identity["Arn"])


def test_a_name_scheduled_for_deletion_has_its_own_error(aws: Aws) -> None:
    """It says that a restore is due; moto says that the secret is there."""
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="dummy", SecretString="dummy")
    assert refusal(secrets.create_secret, Name="dummy", SecretString="x") == ("ResourceExistsException", 400)
    secrets.delete_secret(SecretId="dummy", RecoveryWindowInDays=7)
    assert refusal(secrets.create_secret, Name="dummy", SecretString="x") == ("InvalidRequestException", 400)
    secrets.restore_secret(SecretId="dummy")
    assert secrets.get_secret_value(SecretId="dummy")["SecretString"] == "dummy"


def test_the_role_of_ec2_spot_has_awss_name(aws: Aws) -> None:
    """The runbook finds it by that name."""
    iam = aws.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")["Role"]
    assert role["RoleName"] == "AWSServiceRoleForEC2Spot"


def test_a_users_permissions_boundary_is_kept(aws: Aws) -> None:
    """Given at creation, replaced, and taken away."""
    iam, boundary = aws.client("iam"), "arn:aws:iam::aws:policy/PowerUserAccess"
    iam.create_user(UserName="bounded", PermissionsBoundary=boundary)
    found = iam.get_user(UserName="bounded")["User"]["PermissionsBoundary"]
    assert found["PermissionsBoundaryArn"] == boundary
    other = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=other)
    found = iam.get_user(UserName="bounded")["User"]["PermissionsBoundary"]
    assert found["PermissionsBoundaryArn"] == other
    iam.delete_user_permissions_boundary(UserName="bounded")
    assert "PermissionsBoundary" not in iam.get_user(UserName="bounded")["User"]
