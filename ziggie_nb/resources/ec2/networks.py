"""The VPC that is built in: the one that the parameters name, or the region's default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb.resources.answers import unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws


def find_vpc(aws: Aws, vpc_id: str | None) -> Any | None:
    """Return DescribeVpcs' entry of the named VPC, or of the default one; None when it is not there."""

    def read() -> Any | None:
        filters: list[Any] = [{"Name": "is-default", "Values": ["true"]}]
        asked: Any = {"VpcIds": [vpc_id]} if vpc_id else {"Filters": filters}
        found = unless(lambda: aws.client("ec2").describe_vpcs(**asked), "InvalidVpcID.NotFound")
        return next(iter(found["Vpcs"]), None) if found else None

    return aws.look(f"ec2:vpc:{vpc_id}", read)


def no_vpc(region: str, vpc_id: str | None) -> str:
    """Say that the VPC is not there, and what to do."""
    if vpc_id:
        return f"There is no VPC {vpc_id} in {region}. Correct gpu_spot.vpc_id, or set it to null."
    # https://docs.aws.amazon.com/vpc/latest/userguide/work-with-default-vpc.html#create-default-vpc
    return (
        f"This account has no default VPC in {region}. Name one in gpu_spot.vpc_id, or make a default one: "
        f"aws ec2 create-default-vpc --region {region}"
    )
