"""The five customer-managed policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import policies
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.iam.settling import GONE, let_go

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
VERSIONS_KEPT = 5


@dataclass(frozen=True, kw_only=True)
class ManagedPolicy(Resource):
    """A customer-managed policy.

    Attributes:
        description: set when it is made; IAM cannot change it later.
        document: the policy, as :mod:`ziggie_nb.policies` makes it.
    """

    description: str
    document: dict[str, Any]

    kind: ClassVar[str] = "IAM policy"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListEntitiesForPolicy",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
    )

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account and name."""
        return f"arn:aws:iam::{place.account_id}:policy/{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return the document by statement."""
        del aws
        return {"document": policies.statements_by_sid(self.document)}

    def read(self, aws: Aws) -> State | None:
        """Return the default version's document, and the tags."""
        iam = aws.client("iam")
        arn = self.arn(aws)
        found = unless(lambda: iam.get_policy(PolicyArn=arn), GONE)
        if found is None:
            return None
        version = iam.get_policy_version(PolicyArn=arn, VersionId=found["Policy"]["DefaultVersionId"])
        return {
            "document": policies.statements_by_sid(version["PolicyVersion"]["Document"]),
            "tags": tags_as_dict(found["Policy"].get("Tags", [])),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or add a version that becomes the default."""
        iam = aws.client("iam")
        text = policies.as_text(self.document)
        if live is None:
            iam.create_policy(
                PolicyName=self.name,
                PolicyDocument=text,
                Description=self.description,
                Tags=tags_as_pairs(want["tags"]),
            )
            return
        if want["document"] != live["document"]:
            self._prune(aws)
            iam.create_policy_version(PolicyArn=self.arn(aws), PolicyDocument=text, SetAsDefault=True)
        if changed := new_tags(want["tags"], live["tags"]):
            iam.tag_policy(PolicyArn=self.arn(aws), Tags=tags_as_pairs(changed))

    def _prune(self, aws: Aws) -> None:
        """Make room for another version: delete the oldest that is not the default."""
        versions = self._versions(aws)
        if len(versions) >= VERSIONS_KEPT:
            spare = [version for version in versions if not version["IsDefaultVersion"]]
            oldest = min(spare, key=lambda version: int(version["VersionId"].removeprefix("v")))
            self._delete_version(aws, oldest["VersionId"])

    def _versions(self, aws: Aws) -> list[Any]:
        """Return its versions; empty also when it is gone."""
        pages = aws.client("iam").get_paginator("list_policy_versions").paginate(PolicyArn=self.arn(aws))
        return unless(lambda: [version for page in pages for version in page["Versions"]], GONE) or []

    def _delete_version(self, aws: Aws, version: str) -> None:
        iam = aws.client("iam")
        unless(lambda: iam.delete_policy_version(PolicyArn=self.arn(aws), VersionId=version), GONE)

    def delete(self, aws: Aws, live: State) -> None:
        """Detach it from everybody, delete its old versions, then itself."""
        del live
        self._detach(aws)
        for version in self._versions(aws):
            if not version["IsDefaultVersion"]:
                self._delete_version(aws, version["VersionId"])
        iam = aws.client("iam")
        let_go(lambda: unless(lambda: iam.delete_policy(PolicyArn=self.arn(aws)), GONE))

    def _detach(self, aws: Aws) -> None:
        """Detach it: from our user and roles with their permissions, from others' if the caller may."""
        iam, arn = aws.client("iam"), self.arn(aws)
        for page in self._holders(aws):
            for user in page.get("PolicyUsers", []):
                iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
            for role in page.get("PolicyRoles", []):
                iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
            for group in page.get("PolicyGroups", []):
                iam.detach_group_policy(GroupName=group["GroupName"], PolicyArn=arn)

    def _holders(self, aws: Aws) -> list[Any]:
        """Return all pages, since detaching while paging would skip some; empty when it is gone."""
        pages = aws.client("iam").get_paginator("list_entities_for_policy").paginate(PolicyArn=self.arn(aws))
        return unless(lambda: list(pages), GONE) or []
