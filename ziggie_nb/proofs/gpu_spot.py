"""Task 7.5.6.5: an instance launched from the template is what the template says, and goes again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import policies
from ziggie_nb.errors import WaitingError
from ziggie_nb.gpu import launching, market
from ziggie_nb.phases.gpu_spot import PHASE
from ziggie_nb.proofs.model import PROVED, Proof, ProofRow
from ziggie_nb.resources.answers import tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.ec2 import LaunchTemplate
from ziggie_nb.resources.ec2.launch_template import MARKED

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import State
    from ziggie_nb.settings import Environment

TASK = "7.5.6.5"
MARK = "ziggie:proof"
"""Tag of what is launched here, by which a later run finds what a broken-off one has left."""
NO_PROFILE = "NoSuchEntity"

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class LaunchProof(Proof):
    """One instance is launched by RunInstances, compared with the template, and ended.

    Attributes:
        resource: the template.
        environment: the parameters.
        sleep: takes seconds; tests hand in their own.
    """

    resource: LaunchTemplate
    environment: Environment = field(repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:CancelSpotInstanceRequests",
        "ec2:CreateTags",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstances",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcs",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "iam:GetInstanceProfile",
        "iam:PassRole",
    )

    def grants(self, environment: Environment) -> tuple[policies.Grant, ...]:
        """Return what a launch needs: what our user may, and a look at the profile."""
        document = policies.ec2_control(
            account_id=environment.account_id,
            region=environment.region,
            gpu_role=environment.iam.gpu_role,
            instance_types=(environment.gpu_spot.instance_type,),
        )
        profile = f"arn:aws:iam::{environment.account_id}:instance-profile/{environment.iam.gpu_role}"
        look = policies.Grant(("iam:GetInstanceProfile",), (profile,))
        return (look, *policies.grants_of(document))

    def digest(self, aws: Aws) -> str:
        """Return the digest of what the template launches."""
        text = json.dumps(self.resource.desired(aws), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def mark(self, aws: Aws) -> None:
        """Tag the template with what was proven."""
        ec2 = aws.client("ec2")
        found = ec2.describe_launch_templates(LaunchTemplateNames=[self.resource.name])
        identifier = found["LaunchTemplates"][0]["LaunchTemplateId"]
        ec2.create_tags(Resources=[identifier], Tags=tags_as_pairs({PROVED: self.digest(aws)}))

    def price(self, aws: Aws) -> str:
        """Say what it costs, before anything is launched."""
        settings = self.environment.gpu_spot
        rows = market.spot_prices(aws.view(), settings.instance_type)
        on_demand = market.on_demand_price(settings.instance_type, aws.region)
        cap = settings.maximum_price_usd_per_hour
        known = [each for each in (cap, on_demand) if each is not None]
        most = f"at most ${min(known):.2f} an hour" if known else "at most the on-demand price"
        now = f", ${rows[0].now:.3f} now in {rows[0].zone}" if rows else ""
        return f"One {settings.instance_type} for some minutes: {most}{now}; AWS counts seconds, 60 at least."

    def run(self, aws: Aws, tell: Tell = launching.silent) -> list[ProofRow]:
        """Launch one instance, compare it with the template, and end it whatever comes of that.

        Raises:
            WaitingError: no capacity, the quota is used up, or phase 02 has not been applied.
            RunbookError: the instance did not start.
        """
        self._need_profile(aws)
        self.clean_up(aws, tell)
        tell(self.price(aws))
        try:
            instance_id = launching.launch(aws, self.environment, tags=self._tags(), tell=tell)
            instance = launching.wait_for(aws, instance_id, "running", tell=tell, sleep=self.sleep)
            rows = list(self._compared(aws, instance))
        finally:
            self.clean_up(aws, tell)
        return [*rows, self._gone(aws, instance)]

    def _need_profile(self, aws: Aws) -> None:
        """Say that the instance profile is not there, before EC2 refuses the launch in other words."""
        name = self.resource.instance_profile
        iam = aws.client("iam")
        if unless(lambda: iam.get_instance_profile(InstanceProfileName=name), NO_PROFILE) is None:
            raise WaitingError(
                f"Nothing was launched: the instance profile {name} of phase 02 is not there yet.",
                who="whoever runs the runbook",
                where=f"ziggie run --env {self.environment.name} --only 02, then --only 06",
                usually="a minute",
            )

    def _tags(self) -> dict[str, str]:
        return {**self.resource.launch_tags, MARK: TASK}

    def clean_up(self, aws: Aws, tell: Tell = launching.silent) -> None:
        """End what this or a broken-off run has launched."""
        launching.cancel_requests(aws, MARK, TASK)
        left = launching.tagged(aws, MARK, TASK)
        if left:
            tell(f"Ending {len(left)} instance{'s' if len(left) > 1 else ''} of this proof.")
        launching.end(aws, left, tell=tell, sleep=self.sleep)

    def _compared(self, aws: Aws, instance: Any) -> Iterator[ProofRow]:
        want, view = self.resource.desired(aws.view()), aws.view()
        request, volumes = launching.request_of(view, instance), launching.volumes_of(view, instance)
        yield _row("type and image", _kind(want), _launched_kind(instance))
        yield _row("bought as", _market(want["market"]), _bought(instance, request, want["market"]))
        yield _row("metadata service", _metadata(want["metadata"]), _served(instance["MetadataOptions"]))
        profile = instance.get("IamInstanceProfile", {}).get("Arn", "none").rpartition("/")[2]
        yield _row("runs as", want["instance_profile"], profile)
        groups = ", ".join(each["GroupName"] for each in instance["SecurityGroups"])
        yield _row("security groups", self.resource.group.name, groups)
        yield _row("key pair", want["key_pair"], instance.get("KeyName", "none"))
        yield _row("root volume", _volume(want["root_volume"]), _attached(instance, volumes))
        tags = {"instance": [instance], "volume": volumes, "spot-instances-request": [request or {}]}
        for kind in MARKED:
            yield _row(f"tags of the {kind.replace('-', ' ')}", *_tags(self._tags(), tags[kind]))
        yield _reachable(instance, want["security_groups"], view, self.resource)

    def _gone(self, aws: Aws, instance: Any) -> ProofRow:
        """Say what is left of it."""
        now = launching.find(aws, instance["InstanceId"])
        request = launching.request_of(aws, instance)
        running = now is not None and now["State"]["Name"] != "terminated"
        asking = request is not None and request["State"] in {"open", "active", "disabled"}
        left = [
            *(["the instance"] if running else []),
            *(["its Spot request"] if asking else []),
            *(["its volume"] if launching.volumes_of(aws, instance) else []),
        ]
        return _row("what is left afterwards", "nothing", ", ".join(left) or "nothing")


def proof(environment: Environment) -> LaunchProof:
    """Return the proof of phase 06, for what the phase builds."""
    template = next(each for each in PHASE.resources(environment) if isinstance(each, LaunchTemplate))
    return LaunchProof(
        task=TASK,
        name=template.name,
        title="Spot launch from the template",
        resource=template,
        environment=environment,
    )


def _row(case: str, expected: str, observed: str) -> ProofRow:
    return ProofRow(case=case, expected=expected, observed=observed, ok=observed == expected)


def _kind(want: State) -> str:
    return f"{want['instance_type']} from {want['image']['id']}"


def _launched_kind(instance: Any) -> str:
    return f"{instance['InstanceType']} from {instance['ImageId']}"


def _market(want: State) -> str:
    cap = want["maximum_price"]
    return _in_words(want["type"], want["request"], want["when_interrupted"], cap)


def _bought(instance: Any, request: Any, want: State) -> str:
    if request is None:
        return str(instance.get("InstanceLifecycle", "on demand"))
    behaviour = request.get("InstanceInterruptionBehavior")
    # Without a cap AWS shows the on-demand price there, which is the cap that always holds.
    price = request.get("SpotPrice") if want["maximum_price"] is not None else None
    return _in_words(instance.get("InstanceLifecycle"), request["Type"], behaviour, price)


def _in_words(kind: Any, request: Any, behaviour: Any, cap: Any) -> str:
    price = f"at most ${float(cap):.2f} an hour" if cap else "no cap"
    return f"{kind}, {request}, {behaviour} when interrupted, {price}"


def _metadata(want: State) -> str:
    return f"tokens {want['tokens']}, {want['hop_limit']} hop, {want['endpoint']}"


def _served(options: Any) -> str:
    hops, endpoint = options["HttpPutResponseHopLimit"], options["HttpEndpoint"]
    return f"tokens {options['HttpTokens']}, {hops} hop, {endpoint}"


def _volume(want: State) -> str:
    encrypted = "encrypted" if want["encrypted"] else "not encrypted"
    return f"{want['device']}, {want['gb']} GB {want['type']}, {encrypted}"


def _attached(instance: Any, volumes: list[Any]) -> str:
    root = instance["RootDeviceName"]
    found = [each for each in volumes if each["Attachments"][0]["Device"] == root]
    if not found:
        return "none"
    volume = found[0]
    facts = {"device": root, "gb": volume["Size"], "type": volume["VolumeType"]}
    return _volume({**facts, "encrypted": volume["Encrypted"]})


def _tags(want: Mapping[str, str], things: list[Any]) -> tuple[str, str]:
    """Return the tags as wanted, and those of them that all of these things have."""
    found = [tags_as_dict(each.get("Tags", [])) for each in things]
    shared = {
        key: value for key, value in want.items() if found and all(each.get(key) == value for each in found)
    }
    return _listed(want), _listed(shared) or "none"


def _listed(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))


def _reachable(instance: Any, groups: list[str], aws: Aws, template: LaunchTemplate) -> ProofRow:
    """Compare how one gets there: a public address, and the ports of the group, from its sources only."""
    want = template.group.desired(aws)["ingress"]
    live = (template.group.read(aws) or {}).get("ingress", {})
    ours = [each["GroupId"] for each in instance["SecurityGroups"]] == groups
    address = "a public address" if instance.get("PublicIpAddress") else "no public address"
    return _row(
        "how one gets there",
        f"a public address; {_ports(want)}",
        f"{address}; {_ports(live) if ours else 'other groups than the template names'}",
    )


def _ports(ingress: Mapping[str, list[str]]) -> str:
    listed = "; ".join(f"{port} from {', '.join(sources)}" for port, sources in sorted(ingress.items()))
    return listed or "no open port: the tunnel of ziggie gpu open"
