"""Which IAM actions a resource's calls need, after AWS's own tables.

Most operations are allowed by an action of the same name; the others are here, after
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ziggie_nb.resources import cloudfront, events, iam, rotation, s3, secrets_manager

from .conftest import BOUNDARY, Account

if TYPE_CHECKING:
    from ziggie_nb.core import Resource

ACTIONS: dict[str, tuple[str, ...]] = {
    "budgets:CreateBudget": ("budgets:ModifyBudget", "budgets:TagResource"),
    "budgets:CreateNotification": ("budgets:ModifyBudget",),
    "budgets:CreateSubscriber": ("budgets:ModifyBudget",),
    "budgets:DeleteBudget": ("budgets:ModifyBudget",),
    "budgets:DeleteNotification": ("budgets:ModifyBudget",),
    "budgets:DeleteSubscriber": ("budgets:ModifyBudget",),
    "budgets:DescribeBudget": ("budgets:ViewBudget",),
    "budgets:DescribeNotificationsForBudget": ("budgets:ViewBudget",),
    "budgets:DescribeSubscribersForNotification": ("budgets:ViewBudget",),
    "budgets:UpdateBudget": ("budgets:ModifyBudget",),
    "budgets:UpdateNotification": ("budgets:ModifyBudget",),
    "cloudfront:CreateDistributionWithTags": ("cloudfront:CreateDistribution", "cloudfront:TagResource"),
    "iam:AddRoleToInstanceProfile": ("iam:AddRoleToInstanceProfile", "iam:PassRole"),
    "iam:CreateInstanceProfile": ("iam:CreateInstanceProfile", "iam:TagInstanceProfile"),
    "iam:CreatePolicy": ("iam:CreatePolicy", "iam:TagPolicy"),
    "iam:CreateRole": ("iam:CreateRole", "iam:TagRole"),
    "iam:CreateUser": ("iam:CreateUser", "iam:TagUser"),
    "lambda:CreateFunction": ("iam:PassRole", "lambda:CreateFunction", "lambda:TagResource"),
    "s3:CreateBucket": ("s3:CreateBucket", "s3:TagResource"),
    "s3:DeleteBucketCors": ("s3:PutBucketCORS",),
    "s3:DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:DeleteBucketIntelligentTieringConfiguration": ("s3:PutIntelligentTieringConfiguration",),
    "s3:DeleteBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "s3:DeleteBucketOwnershipControls": ("s3:PutBucketOwnershipControls",),
    "s3:DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "s3:DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:GetBucketCors": ("s3:GetBucketCORS",),
    "s3:GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "s3:GetBucketIntelligentTieringConfiguration": ("s3:GetIntelligentTieringConfiguration",),
    "s3:GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:PutBucketCors": ("s3:PutBucketCORS",),
    "s3:PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:PutBucketIntelligentTieringConfiguration": ("s3:PutIntelligentTieringConfiguration",),
    "s3:PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "secretsmanager:CreateSecret": ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
    "sns:CreateTopic": ("sns:CreateTopic", "sns:TagResource"),
}

DECLARED_ELSEWHERE: dict[type[Resource], set[str]] = {
    # Its folders' markers go before it; BucketPrefixes names these for the objects in it.
    s3.Bucket: {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    # Needed on whom it is attached to: declared with what is attached to our user and our roles.
    iam.ManagedPolicy: {"iam:DetachRolePolicy", "iam:DetachUserPolicy"},
}

NOT_CALLED_HERE: dict[type[Resource], set[str]] = {
    s3.Bucket: {"s3:GetBucketLocation"},  # where an endpoint's HeadBucket does not tell the region
    s3.BucketPolicyStatement: {"s3:GetBucketPolicyStatus"},  # the gate's
    cloudfront.CloudFrontReadStatement: {"s3:GetBucketPolicyStatus"},
    secrets_manager.Secret: {
        "kms:Decrypt",  # KMS's, called by Secrets Manager where the parameters name a key
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "secretsmanager:ListSecretVersionIds",  # the check's and the gate's
        "secretsmanager:PutSecretValue",  # where one was made without a value
        "secretsmanager:RestoreSecret",  # where one is scheduled for deletion
    },
    rotation.RotationSchedule: {"lambda:InvokeFunction"},  # Secrets Manager looks whether one has it
    events.ScheduleRule: {"events:ListTargetsByRule"},  # asked before a destroy
    iam.UserPolicies: {"iam:SimulatePrincipalPolicy"},  # the gate's
    iam.Role: {
        "iam:DeleteRolePermissionsBoundary",  # where the parameters name none
        "iam:GetRolePolicy",  # the gate's, for every inline policy there is
        "iam:PassRole",  # InstanceProfile hands it on
    },
    iam.User: {
        "iam:DeleteUserPermissionsBoundary",
        "iam:GetUserPolicy",  # the gate's, for every inline policy there is
    },
}


def check(resource: Resource, sent: Iterable[str]) -> None:
    """Compare the actions that a resource's whole life needed with those that it declares."""
    needed = {action for call in sent for action in ACTIONS.get(call, (call,))}
    kind, own = type(resource), set(resource.permissions)
    below = {action for other in below_it(resource) for action in other.permissions}
    assert needed - own - below == DECLARED_ELSEWHERE.get(kind, set())
    assert own - needed == NOT_CALLED_HERE.get(kind, set())


def below_it(resource: Resource) -> list[Resource]:
    """Return what a resource stands on, directly or not: whoever makes it has made those."""
    return [each for other in resource.stands_on for each in (other, *below_it(other))]


def dress(account: Account, resource: Resource) -> None:
    """Give it what others may have given it by the time it is deleted."""
    if type(resource) in DRESSING:
        DRESSING[type(resource)](account, resource)


def dress_bucket(account: Account, bucket: Any) -> None:
    """Put one of our folders into the bucket."""
    account.raw("s3").put_object(Bucket=bucket.name, Key=bucket.prefixes[0], Body=b"")


def dress_policy(account: Account, policy: Any) -> None:
    """Attach the policy to a user and a role."""
    client, arn = account.raw("iam"), policy.arn(account.aws)
    client.create_user(UserName="somebody")
    client.attach_user_policy(UserName="somebody", PolicyArn=arn)
    client.create_role(RoleName="something", AssumeRolePolicyDocument=json.dumps(policy.document))
    client.attach_role_policy(RoleName="something", PolicyArn=arn)


def dress_user(account: Account, user: Any) -> None:
    """Give the user a policy of each kind, a key and a password."""
    client, name = account.raw("iam"), user.name
    client.attach_user_policy(UserName=name, PolicyArn=BOUNDARY)
    client.put_user_policy(UserName=name, PolicyName="theirs", PolicyDocument=json.dumps(NOTHING))
    client.create_access_key(UserName=name)
    client.create_login_profile(UserName=name, Password="not-a-secret-1A!")


def dress_role(account: Account, role: Any) -> None:
    """Give the role a policy of each kind."""
    client, name = account.raw("iam"), role.name
    client.attach_role_policy(RoleName=name, PolicyArn=BOUNDARY)
    client.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=json.dumps(NOTHING))


NOTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}],
}

DRESSING: dict[type[Resource], Callable[[Account, Any], None]] = {
    s3.Bucket: dress_bucket,
    iam.ManagedPolicy: dress_policy,
    iam.User: dress_user,
    iam.Role: dress_role,
}
