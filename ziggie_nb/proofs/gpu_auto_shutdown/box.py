"""The small instance that the proof starts on AWS: how it is launched, what may be done with it, its end."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from ziggie_nb import __version__
from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.gpu import launching, market
from ziggie_nb.interruption import uninterrupted
from ziggie_nb.policies import Grant
from ziggie_nb.proofs.gpu_auto_shutdown.shared import MARK, TASK
from ziggie_nb.resources.answers import tags_as_pairs
from ziggie_nb.resources.ec2 import networks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.gpu.launching import Sleep, Tell
    from ziggie_nb.settings import Environment

INSTANCE_TYPE: Final = "t3.micro"
# https://docs.aws.amazon.com/linux/al2023/ug/ec2.html#launch-from-systems-manager
IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
NAME = "Ziggie-Shutdown-Proof"
TAGS = {
    "Name": NAME,
    "Project": "Ziggie",
    "Type": "GPU",
    "ZiggieOrigin": "runbook",
    "ZiggieRunbook": __version__,
    MARK: TASK,
}
# Beside those of launching: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
QUOTA = frozenset({"InstanceLimitExceeded", "VcpuLimitExceeded"})
NOT_VERIFIED = "PendingVerification"
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html#ec2-on-demand-instances-limits
QUOTA_NAME = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances (L-1216C47A)"
SETTLING_SECONDS = 30.0


def grants(environment: Environment) -> tuple[Grant, ...]:
    """Return what starting and ending it needs, and nothing else that could be launched.

    All of a launch's statements demand that no launch template is named: with ours other statements hold,
    which these must not widen. The instance's own demands its type, its tags and IMDSv2.
    """
    region = environment.region
    ec2 = f"arn:aws:ec2:{region}:{environment.account_id}"
    by_itself = {"Null": {"ec2:LaunchTemplate": "true"}}
    asked = {"aws:RequestTag/Project": "Ziggie", f"aws:RequestTag/{MARK}": TASK}
    instance = {**asked, "ec2:InstanceType": INSTANCE_TYPE, "ec2:MetadataHttpTokens": "required"}
    ours = {"aws:ResourceTag/Project": "Ziggie", f"aws:ResourceTag/{MARK}": TASK}
    run, instances, volumes = ("ec2:RunInstances",), f"{ec2}:instance/*", f"{ec2}:volume/*"
    private = {"Bool": {"ec2:AssociatePublicIpAddress": "false"}}
    return (
        Grant(run, (instances,), {**by_itself, "StringEquals": instance}),
        Grant(run, (volumes,), {**by_itself, "StringEquals": asked}),
        Grant(
            run,
            (f"arn:aws:ec2:{region}::image/*",),  # images belong to no account in their ARN
            {**by_itself, "StringEquals": {"ec2:Owner": "amazon"}},
        ),
        Grant(run, (f"{ec2}:network-interface/*",), {**by_itself, **private}),
        Grant(run, (f"{ec2}:security-group/*", f"{ec2}:subnet/*"), by_itself),
        Grant(
            ("ec2:CreateTags",),
            (instances, volumes),
            {"StringEquals": {**asked, "ec2:CreateAction": "RunInstances"}},
        ),
        Grant(("ec2:TerminateInstances",), (instances,), {"StringEquals": ours}),
        # EC2 reads the parameter as whoever launches; AWS's own parameters have no account:
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
        Grant(("ssm:GetParameters",), (f"arn:aws:ssm:{region}:*:parameter{IMAGE_PARAMETER}",)),
    )


# --- Launching ---------------------------------------------------------------------------------------


def launch(aws: Aws, environment: Environment, *, tell: Tell = launching.silent) -> str:
    """Start one, in the first zone that has one to give; return its id.

    Raises:
        WaitingError: the quota is used up, the account is not verified yet, or no zone has one.
        RunbookError: the VPC is not there.
    """
    token, refusals = secrets.token_hex(8), list[str]()
    for zone, subnet_id in _places(aws.view(), environment):
        tell(f"Asking for one {INSTANCE_TYPE} in {zone}.")
        try:
            with uninterrupted():  # else it could be there, and nobody would know its id
                return _launch_in(aws, subnet_id, f"ziggie-{token}-{zone}")
        except ClientError as error:
            if error_code(error) not in launching.ELSEWHERE:
                raise _in_our_words(aws, error) from error
            refusals.append(f"{zone}: {error_code(error)}")
    raise _nowhere(refusals)


def _places(aws: Aws, environment: Environment) -> Iterator[tuple[str, str]]:
    """Yield zone and subnet, as phase 06 has them: the named VPC or the default one, the zones it may use."""
    settings = environment.gpu_spot
    vpc = networks.find_vpc(aws, settings.vpc_id)
    if vpc is None:
        raise RunbookError(networks.no_vpc(aws.region, settings.vpc_id))
    filters: list[Any] = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    pages = aws.client("ec2").get_paginator("describe_subnets").paginate(Filters=filters)
    subnets = {each["AvailabilityZone"]: each["SubnetId"] for page in pages for each in page["Subnets"]}
    offered = market.zones_that_offer(aws, INSTANCE_TYPE)
    for zone in settings.zones or sorted(subnets):
        if zone in subnets and zone in offered:
            yield zone, subnets[zone]


def _launch_in(aws: Aws, subnet_id: str, token: str) -> str:
    """Send the request; the token makes sure that repeating it launches nothing more.

    Without a group the VPC's default one holds, which lets nobody in from outside; nobody has a key. The
    image's volume goes with the instance. In mode standard it can cost nothing beyond its hours:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-standard-mode.html
    """
    kinds = ("instance", "volume")
    specifications: list[Any] = [{"ResourceType": kind, "Tags": tags_as_pairs(TAGS)} for kind in kinds]
    answer = aws.client("ec2").run_instances(
        ImageId=f"resolve:ssm:{IMAGE_PARAMETER}",
        InstanceType=INSTANCE_TYPE,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[
            {
                "DeviceIndex": 0,
                "SubnetId": subnet_id,
                "AssociatePublicIpAddress": False,
                "DeleteOnTermination": True,
            }
        ],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        CreditSpecification={"CpuCredits": "standard"},
        InstanceInitiatedShutdownBehavior="stop",
        TagSpecifications=specifications,
        ClientToken=token,
    )
    return answer["Instances"][0]["InstanceId"]


def _in_our_words(aws: Aws, error: ClientError) -> Exception:
    """Return what to raise for a refusal that holds in every zone."""
    code = error_code(error)
    if code in QUOTA:
        return WaitingError(
            f"AWS refuses another instance: {code}. The account's quota is used up; nothing was started.",
            who="the account's owner, then AWS",
            where=f"Service Quotas console in {aws.region}, Amazon EC2, {QUOTA_NAME}",
            usually="minutes to two days",
        )
    if code == NOT_VERIFIED:
        return WaitingError(
            "AWS is still verifying this account, and starts no instance before.",
            who="AWS",
            where="the mail of the account's owner; the EC2 console says when it is done",
            usually="minutes to four hours",
        )
    return error


def _nowhere(refusals: Sequence[str]) -> WaitingError:
    said = "; ".join(refusals) or "no zone of gpu_spot.zones offers it and has a subnet"
    return WaitingError(
        f"No zone has a {INSTANCE_TYPE} to give now ({said}); nothing was started. Try again later.",
        who="AWS",
        where="EC2 console, Instances",
        usually="minutes to hours",
    )


# --- Ending ------------------------------------------------------------------------------------------


def end(
    aws: Aws, known: Iterable[str] = (), *, tell: Tell = launching.silent, sleep: Sleep = time.sleep
) -> None:
    """Terminate what carries the proof's mark, and wait until it has ended.

    Args:
        aws: a connection that may write.
        known: ids that a search by tag may not show yet.
        tell: gets a sentence now and then.
        sleep: takes seconds.
    """
    ids = sorted({*known, *(each["InstanceId"] for each in launching.tagged(aws, MARK, TASK))})
    if not ids:
        return
    tell(f"Ending {len(ids)} instance{'s' if len(ids) > 1 else ''} of this proof.")
    ec2 = aws.client("ec2")
    with uninterrupted():
        until_settled(
            lambda: ec2.terminate_instances(InstanceIds=ids),
            launching.NO_INSTANCE,  # what was launched a moment ago is not known everywhere yet
            seconds=SETTLING_SECONDS,
            sleep=sleep,
        )
    for each in ids:
        launching.wait_for(aws, each, "terminated", tell=tell, sleep=sleep)


def volumes(aws: Aws) -> list[str]:
    """Return the ids of the proof's volumes that are still paid for."""
    filters: list[Any] = [{"Name": f"tag:{MARK}", "Values": [TASK]}]
    found = aws.client("ec2").describe_volumes(Filters=filters)["Volumes"]
    return [each["VolumeId"] for each in found if each["State"] not in {"deleting", "deleted"}]
