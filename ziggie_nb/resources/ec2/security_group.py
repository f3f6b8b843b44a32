"""Who may reach the GPU instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.ec2.networks import find_vpc, no_vpc

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

DEFAULT_VPC = "the region's default"
GONE = "InvalidGroup.NotFound"
IN_USE = "DependencyViolation"
LET_GO_SECONDS = 60.0
"""An ended instance's network interface stays in its group for some seconds."""
THERE = ("pending", "running", "stopping", "stopped")
ALIVE = (*THERE, "shutting-down")


EVERYTHING = "-1"
"""The protocol of a rule that lets everything in; its ports mean nothing."""


class Rule(NamedTuple):
    """What one rule lets in, as a plan shows it: ``tcp 22``, and from where."""

    ports: str
    source: str

    @classmethod
    def of(cls, protocol: str, first: int, last: int, source: str) -> Rule:
        """Name a rule."""
        if protocol == EVERYTHING:
            return cls("everything", source)
        return cls(f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}", source)

    @classmethod
    def read(cls, entry: Any) -> Rule:
        """Name an entry of DescribeSecurityGroupRules."""
        group = entry.get("ReferencedGroupInfo", {}).get("GroupId")
        source = entry.get("CidrIpv4") or entry.get("CidrIpv6") or entry.get("PrefixListId") or group
        return cls.of(entry["IpProtocol"], entry.get("FromPort", -1), entry.get("ToPort", -1), str(source))


def by_ports(rules: Iterable[Rule]) -> dict[str, list[str]]:
    """Return the sources of each port, in an order that does not depend on AWS's."""
    ordered = sorted(rules)
    return {rule.ports: [each.source for each in ordered if each.ports == rule.ports] for rule in ordered}


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Resource):
    """The group's exact rules for what comes in; what goes out is left as AWS makes it.

    Attributes:
        description: set when it is made; EC2 cannot change it later.
        vpc_id: the VPC it is in; None for the region's default VPC.
        ports: what each port that is let in is for.
        source_cidrs: the networks that reach them, IPv4 or IPv6.
    """

    description: str
    vpc_id: str | None
    ports: Mapping[int, str]
    source_cidrs: tuple[str, ...]

    kind: ClassVar[str] = "Security group"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeInstances",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "ec2:RevokeSecurityGroupIngress",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARNs of this account's groups, which AWS numbers, and of the VPC."""
        ec2 = f"arn:aws:ec2:{place.region}:{place.account_id}"
        return (f"{ec2}:security-group/*", f"{ec2}:vpc/{self.vpc_id or '*'}")

    def desired(self, aws: Aws) -> State:
        """Return the VPC, and the sources of each port that is let in."""
        del aws
        return {"vpc": self.vpc_id or DEFAULT_VPC, "ingress": by_ports(self._wanted())}

    def _wanted(self) -> dict[Rule, Any]:
        """Return each rule with the permission that AuthorizeSecurityGroupIngress takes for it."""
        return {
            Rule.of("tcp", port, port, source): _permission(port, source, self.ports[port])
            for port in self.ports
            for source in self.source_cidrs
        }

    def read(self, aws: Aws) -> State | None:
        """Return VPC, rules and tags."""
        found = self._found(aws)
        if found is None:
            return None
        rules = self._rules(aws, found["GroupId"])
        return {
            "vpc": self.vpc_id or DEFAULT_VPC,
            "ingress": by_ports(rules),
            "tags": tags_as_dict(found.get("Tags", [])),
        }

    def live_id(self, aws: Aws) -> str | None:
        """Return the id that AWS has given it; None while it is not there."""
        found = self._found(aws)
        return found["GroupId"] if found else None

    def _found(self, aws: Aws) -> Any | None:
        """Return DescribeSecurityGroups' entry; names are unique within a VPC."""

        def read() -> Any | None:
            vpc = find_vpc(aws, self.vpc_id)
            if vpc is None:
                return None
            filters: list[Any] = [
                {"Name": "group-name", "Values": [self.name]},
                {"Name": "vpc-id", "Values": [vpc["VpcId"]]},
            ]
            groups = aws.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
            return next(iter(groups), None)

        return aws.look(f"ec2:group:{self.vpc_id}:{self.name}", read)

    @staticmethod
    def _rules(aws: Aws, group_id: str) -> dict[Rule, str]:
        """Return the rules that let something in, each with the id that AWS has given it."""
        pages = aws.client("ec2").get_paginator("describe_security_group_rules")
        filters: list[Any] = [{"Name": "group-id", "Values": [group_id]}]
        rules = pages.paginate(Filters=filters).build_full_result()["SecurityGroupRules"]
        return {Rule.read(each): each["SecurityGroupRuleId"] for each in rules if not each["IsEgress"]}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it; add the rules that are missing, then revoke those that do not belong.

        Raises:
            RunbookError: the VPC is not there; says what to do.
        """
        vpc = find_vpc(aws, self.vpc_id)
        if vpc is None:
            raise RunbookError(no_vpc(aws.region, self.vpc_id))
        ec2 = aws.client("ec2")
        if live is None:
            tags: list[Any] = [{"ResourceType": "security-group", "Tags": tags_as_pairs(want["tags"])}]
            group_id = ec2.create_security_group(
                GroupName=self.name,
                Description=self.description,
                VpcId=vpc["VpcId"],
                TagSpecifications=tags,
            )["GroupId"]
        else:
            group_id = str(self.live_id(aws))
            if changed := new_tags(want["tags"], live["tags"]):
                ec2.create_tags(Resources=[group_id], Tags=tags_as_pairs(changed))
        rules = self._rules(aws, group_id) if live else {}
        wanted = self._wanted()
        if missing := [permission for rule, permission in wanted.items() if rule not in rules]:
            # A group made a moment ago is not known everywhere yet.
            until_settled(
                lambda: ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=missing),
                GONE,
                seconds=20,
            )
        if surplus := [identifier for rule, identifier in rules.items() if rule not in wanted]:
            ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=surplus)

    def holds_back(self, aws: Aws) -> str | None:
        """Return a sentence when an instance is in it: AWS would refuse, when the rest has gone already."""
        group_id = self.live_id(aws)
        instances = self._instances(aws, group_id, THERE) if group_id else []
        if not instances:
            return None
        return (
            f"Security group {self.name} is in use by {', '.join(instances)}, and what runs goes on costing "
            "money. Nothing was deleted. End these instances first: `ziggie gpu stop --terminate`."
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it.

        Raises:
            RunbookError: something is in it still; says what.
        """
        del live
        group_id = self.live_id(aws.view())
        if group_id is None:
            return
        if instances := self._instances(aws, group_id):
            raise RunbookError(
                f"Security group {self.name} is still in use by {', '.join(instances)}. End these instances, "
                "then start destroy again."
            )
        ec2 = aws.client("ec2")
        try:
            until_settled(
                lambda: unless(lambda: ec2.delete_security_group(GroupId=group_id), GONE),
                IN_USE,
                seconds=LET_GO_SECONDS,
            )
        except ClientError as error:
            if error_code(error) != IN_USE:
                raise
            raise RunbookError(
                f"Security group {self.name} is still in use: AWS says that {group_id} has a dependent "
                "object. Look for its id in the EC2 console under Network Interfaces and in other groups' "
                "rules, take it out there, then start destroy again."
            ) from error

    @staticmethod
    def _instances(aws: Aws, group_id: str, states: Iterable[str] = ALIVE) -> list[str]:
        filters: list[Any] = [
            {"Name": "instance.group-id", "Values": [group_id]},
            {"Name": "instance-state-name", "Values": list(states)},
        ]
        pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return [
            f"{each['InstanceId']} ({each['State']['Name']})"
            for page in pages
            for reservation in page["Reservations"]
            for each in reservation["Instances"]
        ]


def _permission(port: int, source: str, purpose: str) -> Any:
    ranges: Any = (
        {"Ipv6Ranges": [{"CidrIpv6": source, "Description": purpose}]}
        if ":" in source
        else {"IpRanges": [{"CidrIp": source, "Description": purpose}]}
    )
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}
