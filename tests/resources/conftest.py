"""A sandbox with every option of the parameters on, and both ways to it: the runbook's and plain boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.loaders import create_loader

from tests.plain_client import plain_client
from ziggie_nb import core, sandbox
from ziggie_nb.aws import READS, Aws
from ziggie_nb.core import Change, Outcome, Resource, Status
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from botocore.model import OperationModel

R = TypeVar("R", bound=Resource)

BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
ELSEWHERE = "eu-west-1"
DEEP_LEARNING_PARAMETER = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
)

Overrides = Mapping[str, Mapping[str, object]]


def all_options(folder: Path) -> dict[str, dict[str, object]]:
    """Return overrides that make the phases build everything they can build."""
    return {
        "iam": {
            "create_access_key": True,
            "access_key_file": str(folder / "key"),
            "source_cidrs": ["82.25.112.73/32"],
            "permissions_boundary_arn": BOUNDARY,
        },
        "s3_assets": {"archive_after_days": 90},
        "secrets": {"rotation_function": True},
        "gpu_spot": {
            "image": DEEP_LEARNING_PARAMETER,
            "private_key_file": str(folder / "gpu-key.pem"),
            "source_cidrs": ["82.25.112.73/32", "2001:db8::/64"],
            "spot_type": "persistent",
        },
    }


def answered(parsed: dict[str, Any]) -> tuple[AWSResponse, dict[str, Any]]:
    """Return what a ``before-call`` handler gives back so that nothing is sent."""
    return AWSResponse("", 200, HTTPHeaders(), None), parsed


@dataclass(frozen=True)
class Account:
    """The emptied sandbox.

    Attributes:
        runbook: opened on it.
        url: its endpoint.
        sent: what the runbook has sent since it was opened, as ``"iam:CreateUser"``.
    """

    runbook: Runbook
    url: str
    sent: list[str] = field(default_factory=list)

    @property
    def aws(self) -> Aws:
        """The runbook's own connection, read-only."""
        return self.runbook.aws

    def raw(self, service: str, region: str = "eu-north-1") -> Any:
        """Return a plain boto3 client: how somebody else works on the account."""
        return plain_client(self.url, service, region)

    def first(self, kind: type[R]) -> R:
        """Return the first resource of exactly this class that the phases build."""
        return next(each for each in self.runbook.resources() if type(each) is kind)

    def consider(self, resource: Resource) -> Change:
        """Read one resource afresh, and say what would change."""
        return core.consider(resource, self.aws.view())

    def apply(self, *resources: Resource) -> list[Outcome]:
        """Plan and apply just these."""
        return list(core.apply(core.plan(resources, self.aws), self.aws).outcomes)

    def make(self, *resources: Resource) -> None:
        """Apply these, and what they stand on before them."""
        wanted: dict[tuple[str, str, str], Resource] = {}
        for resource in resources:
            wanted |= {each.key: each for each in (*foundations(resource), resource)}
        outcomes = self.apply(*wanted.values())
        assert {outcome.status for outcome in outcomes} <= {Status.DONE}, outcomes

    def put(self, resource: Resource) -> None:
        """Write a resource as it is wanted, whether it differs or not."""
        change = self.consider(resource)
        assert change.want is not None
        resource.put(self.aws.writable(), change.want, change.live)

    def delete(self, resource: Resource) -> None:
        """Delete a resource that is there."""
        live = resource.read(self.aws.view())
        assert live is not None
        resource.delete(self.aws.writable(), live)

    def writes(self, action: Callable[[], object]) -> list[str]:
        """Do something and return the operations that were sent and are not reads."""
        before = len(self.sent)
        action()
        return [call for call in self.sent[before:] if not is_read(call)]


def is_read(call: str) -> bool:
    """Tell whether ``"iam:GetUser"`` is one of the runbook's reads."""
    service, operation = call.split(":")
    return operation in READS[service]


def foundations(resource: Resource) -> list[Resource]:
    """Return what a resource stands on, the deepest first."""
    return [each for other in resource.stands_on for each in (*foundations(other), other)]


Open = Callable[[Overrides], Account]


@pytest.fixture(scope="session", autouse=True)
def _read_service_models_once() -> Iterator[None]:
    """Share botocore's service models between sessions: reading them takes longer than most tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        yield


@pytest.fixture
def open_account(empty_sandbox: sandbox.Sandbox) -> Open:
    """Open the emptied sandbox with overrides, and note every call that the runbook sends to it."""

    def opening(overrides: Overrides) -> Account:
        account = Account(Runbook.open("sandbox", overrides), empty_sandbox.url)

        def note(**event: Any) -> None:
            model: OperationModel = event["model"]
            account.sent.append(f"{model.service_model.service_name}:{model.name}")

        account.aws.session.register("before-call", note)
        return account

    return opening


@pytest.fixture
def account(open_account: Open, tmp_path: Path) -> Account:
    """The emptied sandbox, with every option on."""
    return open_account(all_options(tmp_path))
