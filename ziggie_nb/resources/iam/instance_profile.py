"""What hands a role to an EC2 instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.iam.settling import GONE, let_go, settled

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.iam.principals import Role


@dataclass(frozen=True, kw_only=True)
class InstanceProfile(Resource):
    """What hands a role to an EC2 instance.

    Attributes:
        role: the one role in it.
    """

    role: Role

    kind: ClassVar[str] = "Instance profile"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AddRoleToInstanceProfile",
        "iam:CreateInstanceProfile",
        "iam:DeleteInstanceProfile",
        "iam:GetInstanceProfile",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:instance-profile/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return the role's name."""
        del aws
        return {"role": self.role.name}

    def read(self, aws: Aws) -> State | None:
        """Return the role's name and the tags."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_instance_profile(InstanceProfileName=self.name), GONE)
        if found is None:
            return None
        profile = found["InstanceProfile"]
        names = [role["RoleName"] for role in profile["Roles"]]
        return {"role": names[0] if names else None, "tags": tags_as_dict(profile.get("Tags", []))}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, and put the one role into it."""
        iam, name = aws.client("iam"), self.name
        if live is None:
            iam.create_instance_profile(InstanceProfileName=name, Tags=tags_as_pairs(want["tags"]))
        elif changed := new_tags(want["tags"], live["tags"]):
            iam.tag_instance_profile(InstanceProfileName=name, Tags=tags_as_pairs(changed))
        present = live["role"] if live else None
        if present == want["role"]:
            return
        if present:  # a profile holds one role
            self._take_out(aws, present)
        settled(lambda: iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=want["role"]))

    def _take_out(self, aws: Aws, role: str) -> None:
        iam, name = aws.client("iam"), self.name
        unless(lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role), GONE)

    def delete(self, aws: Aws, live: State) -> None:
        """Take the role out, then delete it."""
        if live["role"]:
            self._take_out(aws, live["role"])
        iam = aws.client("iam")
        let_go(lambda: unless(lambda: iam.delete_instance_profile(InstanceProfileName=self.name), GONE))
