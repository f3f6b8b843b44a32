"""Preflight of phase 06: offers, quota, prices, network, image, private half, as AWS answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from botocore import loaders, model, xform_name
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

from ziggie_nb import settings
from ziggie_nb.aws import READS, Aws
from ziggie_nb.checks import Finding, Verdict
from ziggie_nb.preflight import gpu_spot as preflight
from ziggie_nb.resources.ec2 import key_pair

IMAGE = "ami-0abcdef0123456789"
PATH = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
VPC = {"VpcId": "vpc-0123456789abcdef0", "IsDefault": True}
NOW = datetime.now(UTC)
LOADER = loaders.Loader()

Answer = dict[str, Any] | str


def environment(**gpu_spot: object) -> settings.Environment:
    """Return prod's parameters, with an image, and with these instead."""
    return settings.load("prod", {"gpu_spot": {"image": IMAGE, **gpu_spot}})


def price(zone: str, dollars: float, hours_ago: float = 1) -> dict[str, Any]:
    """Make one entry of the price history."""
    when = NOW - timedelta(hours=hours_ago)
    return {"AvailabilityZone": zone, "SpotPrice": f"{dollars:.6f}", "Timestamp": when}


def image(**changes: Any) -> dict[str, Any]:
    """Make DescribeImages' answer."""
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 75}}
    found = {
        "ImageId": IMAGE,
        "State": "available",
        "Architecture": "x86_64",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [mapping],
        **changes,
    }
    return {"Images": [found]}


def quota(vcpus: float) -> dict[str, Any]:
    """Make the answer of both calls for a quota."""
    return {"Quota": {"QuotaCode": "L-3819A6DF", "Value": vcpus}}


def offers(*zones: str) -> dict[str, Any]:
    """Make DescribeInstanceTypeOfferings' answer."""
    return {"InstanceTypeOfferings": [{"Location": zone, "InstanceType": "g4dn.xlarge"} for zone in zones]}


AS_WANTED: dict[str, Answer] = {
    "DescribeInstanceTypeOfferings": offers("eu-north-1a", "eu-north-1b"),
    "DescribeInstanceTypes": {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 4}}]},
    "GetServiceQuota": quota(8),
    "DescribeSpotPriceHistory": {
        "SpotPriceHistory": [price("eu-north-1a", 0.19), price("eu-north-1b", 0.18)]
    },
    "DescribeVpcs": {"Vpcs": [VPC]},
    "DescribeSubnets": {"Subnets": [{"AvailabilityZone": "eu-north-1a", "SubnetId": "subnet-1"}]},
    "DescribeImages": image(),
    "GetParameter": {"Parameter": {"Value": IMAGE}},
    "DescribeLaunchTemplateVersions": "InvalidLaunchTemplateName.NotFoundException",
    "DescribeKeyPairs": "InvalidKeyPair.NotFound",
}
OPERATIONS = {name: service for service in ("ec2", "service-quotas", "ssm") for name in READS[service]}


@dataclass
class Cloud:
    """As much of a connection as these checks look at; answers are held to botocore's model."""

    answers: Mapping[str, Answer]
    endpoint: str | None = None
    region: str = "eu-north-1"
    seen: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Cloud:
        """Return itself: it answers for every service."""
        del service
        return self

    def look(self, key: str, read: Callable[[], Any]) -> Any:
        """Read once."""
        return self.seen.setdefault(key, read())

    def get_paginator(self, name: str) -> Any:
        """Return what pages through one page."""
        answer = getattr(self, name)

        class Pages:
            def paginate(self, **parameters: Any) -> Any:
                class Found(list[Any]):
                    def build_full_result(self) -> Any:
                        return self[0]

                return Found([answer(**parameters)])

        return Pages()

    def __getattr__(self, name: str) -> Any:
        """Answer an operation."""
        operation = next((each for each in OPERATIONS if xform_name(each) == name), None)
        if operation is None:
            raise AttributeError(name)

        def call(**_parameters: Any) -> Any:
            answer = self.answers[operation]
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer}}, operation)
            described = model.ServiceModel(LOADER.load_service_model(OPERATIONS[operation], "service-2"))
            shape: Any = described.operation_model(operation).output_shape
            validate_parameters(answer, shape)
            return answer

        return call


def look(
    check: Callable[[Aws, settings.Environment], Finding],
    answers: Mapping[str, Answer] | None = None,
    *,
    endpoint: str | None = None,
    **gpu_spot: object,
) -> Finding:
    """Make one check, with these answers laid over those as wanted."""
    cloud = Cloud({**AS_WANTED, **(answers or {})}, endpoint)
    return check(cast("Aws", cloud), environment(**gpu_spot))


# --- type, quota, price ------------------------------------------------------------------------------


def test_the_zones_that_offer_the_type_are_named() -> None:
    """The launch tries them."""
    assert look(preflight.offered).observed == "in eu-north-1a, eu-north-1b"


def test_a_type_that_is_not_offered_fails() -> None:
    """Nothing could ever be launched."""
    finding = look(preflight.offered, {"DescribeInstanceTypeOfferings": offers()})
    assert finding.verdict is Verdict.FAIL
    assert "Choose another gpu_spot.instance_type" in finding.observed


def test_zones_of_the_parameters_that_do_not_offer_it_are_named() -> None:
    """One that does is enough; none is a failure."""
    some = look(preflight.offered, zones=["eu-north-1c", "eu-north-1a"])
    none = look(preflight.offered, zones=["eu-north-1c"])
    assert (some.verdict, none.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "not in eu-north-1c" in some.observed


def test_a_quota_for_one_instance_is_enough() -> None:
    """It counts vCPUs, not instances."""
    finding = look(preflight.vcpu_quota, {"GetServiceQuota": quota(4)})
    assert (finding.verdict, finding.observed) == (Verdict.PASS, "4 vCPUs, g4dn.xlarge needs 4")


def test_a_quota_of_zero_waits_and_prints_the_request() -> None:
    """The request is not filed: it is the owner's to make."""
    finding = look(preflight.vcpu_quota, {"GetServiceQuota": quota(0)})
    assert finding.verdict is Verdict.WAIT
    assert finding.wait is not None
    assert "L-3819A6DF" in finding.wait.where
    assert (
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF "
        "--desired-value 4 --region eu-north-1"
    ) in finding.observed


def test_an_account_without_a_quota_of_its_own_has_awss_default() -> None:
    """Service Quotas knows none for it then."""
    answers: dict[str, Answer] = {
        "GetServiceQuota": "NoSuchResourceException",
        "GetAWSDefaultServiceQuota": quota(0),
    }
    assert look(preflight.vcpu_quota, answers).verdict is Verdict.WAIT


def test_an_emulators_quota_and_prices_prove_nothing() -> None:
    """They are skipped, and the prices are called made up."""
    for check in (preflight.vcpu_quota, preflight.spot_price):
        finding = look(check, endpoint="http://127.0.0.1:5000")
        assert finding.verdict is Verdict.SKIP
        assert finding.observed.startswith("real AWS only")
    assert "made up here" in look(preflight.spot_price, endpoint="http://127.0.0.1:5000").observed


def test_a_type_that_another_quota_counts_is_told_apart() -> None:
    """Standard types have their own quota; of what is not known nothing is claimed."""
    standard = look(preflight.vcpu_quota, instance_type="m7i.xlarge")
    unknown = look(preflight.vcpu_quota, instance_type="p4d.24xlarge")
    assert "L-34B43A08" in standard.evidence
    assert unknown.verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("cap", "words"),
    [
        (0.20, "the cap is $0.20"),
        (0.185, "the cap of $0.185 is under the price in eu-north-1a"),
        (0.10, "the cap of $0.10 is under the price in every zone, so nothing would be launched"),
    ],
)
def test_the_cap_is_compared_with_the_market(cap: float, words: str) -> None:
    """The plan's own cap is about where the market is."""
    finding = look(preflight.spot_price, maximum_price_usd_per_hour=cap)
    assert finding.observed.endswith(words)
    assert "$0.18 now in eu-north-1b" in finding.observed
    assert "on demand $0.558 (" in finding.observed


def test_a_cap_that_the_market_went_over_is_said() -> None:
    """An instance would have been interrupted."""
    history = [price("eu-north-1a", 0.25, 48), price("eu-north-1a", 0.19)]
    finding = look(preflight.spot_price, {"DescribeSpotPriceHistory": {"SpotPriceHistory": history}})
    assert finding.observed.endswith("the cap is $0.20, which eu-north-1a went over")


def test_an_unknown_on_demand_price_stays_unknown() -> None:
    """It is never taken for nothing."""
    finding = look(preflight.spot_price, instance_type="g6.xlarge")
    assert "on demand unknown here" in finding.observed


# --- network and image -------------------------------------------------------------------------------


def test_an_account_without_a_default_vpc_fails_with_two_ways_out() -> None:
    """Make one, or name another."""
    finding = look(preflight.network, {"DescribeVpcs": {"Vpcs": []}})
    assert finding.verdict is Verdict.FAIL
    assert "gpu_spot.vpc_id" in finding.observed
    assert "aws ec2 create-default-vpc --region eu-north-1" in finding.observed


def test_a_named_vpc_that_is_not_there_fails() -> None:
    """Its id was mistyped, or is of another region."""
    answers: dict[str, Answer] = {"DescribeVpcs": "InvalidVpcID.NotFound"}
    finding = look(preflight.network, answers, vpc_id="vpc-0123456789abcdef0")
    assert finding.verdict is Verdict.FAIL
    assert "Correct gpu_spot.vpc_id" in finding.observed


def test_a_vpc_without_a_usable_subnet_fails() -> None:
    """Zones that are not asked for do not count."""
    assert look(preflight.network).verdict is Verdict.PASS
    assert look(preflight.network, zones=["eu-north-1b"]).verdict is Verdict.FAIL


def test_an_image_shows_what_will_be_launched() -> None:
    """Its own size counts where it is the larger one."""
    assert "root volume /dev/sda1 with 100 GB" in look(preflight.image).observed
    small = look(preflight.image, volume_gb=20)
    assert "with 75 GB (gpu_spot.volume_gb says 20, the image needs more)" in small.observed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("InvalidAMIID.NotFound", f"There is no image {IMAGE} in eu-north-1"),
        (image(State="disabled"), "is disabled"),
        (image(Architecture="arm64"), "is for arm64, and g4dn.xlarge is not"),
    ],
)
def test_an_image_that_cannot_be_launched_fails(answer: Answer, words: str) -> None:
    """Before anything is built on it."""
    finding = look(preflight.image, {"DescribeImages": answer})
    assert finding.verdict is Verdict.FAIL
    assert words in finding.observed


def test_the_plans_placeholder_waits_for_an_image() -> None:
    """It loads and plans; nobody could mistake it for a failure of theirs."""
    answers: dict[str, Answer] = {"DescribeImages": "InvalidAMIID.NotFound"}
    finding = look(preflight.image, answers, image="ami-0123456789abcdef0")
    assert finding.verdict is Verdict.WAIT
    assert finding.wait is not None
    assert finding.wait.where == "gpu_spot.image in the parameters of prod"


def test_a_processor_of_awss_own_is_known_by_the_types_name() -> None:
    """g5g is, g5 is not."""
    arm: dict[str, Answer] = {"DescribeImages": image(Architecture="arm64")}
    assert look(preflight.image, arm, instance_type="g5g.xlarge").verdict is Verdict.PASS
    assert look(preflight.image, arm, instance_type="g5.xlarge").verdict is Verdict.FAIL


def test_a_newer_image_is_named_and_not_taken() -> None:
    """The template has recorded which one it launches."""
    version = {
        "VersionDescription": f"image {IMAGE} from {PATH}",
        "LaunchTemplateData": {"ImageId": IMAGE},
    }
    answers: dict[str, Answer] = {
        "DescribeLaunchTemplateVersions": {"LaunchTemplateVersions": [version]},
        "GetParameter": {"Parameter": {"Value": "ami-0fedcba9876543210"}},
    }
    finding = look(preflight.image, answers, image=PATH)
    assert finding.verdict is Verdict.PASS
    assert finding.observed.startswith(IMAGE)
    assert "ami-0fedcba9876543210 has been published since" in finding.observed


def test_a_parameter_that_is_not_there_fails() -> None:
    """With the command that lists AWS's own."""
    answers: dict[str, Answer] = {"GetParameter": "ParameterNotFound"}
    finding = look(preflight.image, answers, image=PATH)
    assert finding.verdict is Verdict.FAIL
    assert "aws ssm get-parameters-by-path" in finding.observed


# --- the private half --------------------------------------------------------------------------------


def pair(fingerprint: str) -> dict[str, Answer]:
    """Make AWS have a key pair."""
    return {"DescribeKeyPairs": {"KeyPairs": [{"KeyName": "ziggie-gpu-key", "KeyFingerprint": fingerprint}]}}


def test_a_private_half_on_another_desk_is_said_with_what_to_do(tmp_path: Path) -> None:
    """It holds nothing up: the tunnel needs no key."""
    finding = look(preflight.private_key, pair("abc="), private_key_file=str(tmp_path / "key"))
    assert finding.verdict is Verdict.SKIP
    assert "not on this desk" in finding.observed
    assert "`ziggie gpu open` needs no key" in finding.observed


def test_the_private_half_on_this_desk_is_compared(tmp_path: Path) -> None:
    """With AWS's padding or without; another pair's is said before an apply replaces AWS's."""
    file = tmp_path / "key"
    key_pair.make(file)
    own = key_pair.own_fingerprint(file)
    fits = look(preflight.private_key, pair(f"{own}="), private_key_file=str(file))
    other = look(preflight.private_key, pair("abc="), private_key_file=str(file))
    assert fits.observed.startswith("here: ")
    assert "belongs to another pair than AWS's" in other.observed


def test_a_file_that_is_no_key_fails_before_anything_is_built(tmp_path: Path) -> None:
    """It would be in the way; nothing of it is shown."""
    file = tmp_path / "key"
    file.write_text("something else", encoding="utf-8")
    finding = look(preflight.private_key, private_key_file=str(file))
    assert finding.verdict is Verdict.FAIL
    assert "something else" not in finding.observed


def test_files_are_named_alike_on_every_desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The home folder is ~, and the sandbox's folder has no path at all."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    file = tmp_path / ".ziggie" / "prod-ziggie-gpu-key.pem"
    assert key_pair.private_key_file(environment()) == file
    assert key_pair.in_words(file) == "~/.ziggie/prod-ziggie-gpu-key.pem"
    assert key_pair.in_words(file, sandboxed=True).startswith("prod-ziggie-gpu-key.pem in ")
