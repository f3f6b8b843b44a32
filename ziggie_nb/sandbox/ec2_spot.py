"""Spot requests corrected: what RunInstances asks for, and what becomes of it.

After https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ec2-spot-request.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.spot_requests import SpotInstanceRequest, SpotRequestBackend
from moto.ec2.utils import random_spot_request_id

from ziggie_nb.sandbox.corrections import corrects


class Request(SpotInstanceRequest):
    """A request that RunInstances made, for an instance that is there already."""

    def __init__(self, backend: Any, instance: Any, data: dict[str, Any]) -> None:
        """Take type, behaviour and price from the market options."""
        options = data["InstanceMarketOptions"].get("SpotOptions", {})
        self._instance = instance
        self._created = utcnow().isoformat()
        self.data = data
        super().__init__(
            ec2_backend=backend,
            spot_request_id=random_spot_request_id(),
            price=options.get("MaxPrice", ""),
            image_id=instance.image_id,
            spot_instance_type=options.get("SpotInstanceType", "one-time"),
            valid_from=None,
            valid_until=None,
            launch_group=None,
            availability_zone_group=None,
            key_name=instance.key_name,
            security_groups=[group.id for group in instance.security_groups],
            user_data=None,
            instance_type=instance.instance_type,
            placement=instance.availability_zone,
            kernel_id=None,
            ramdisk_id=None,
            monitoring_enabled=instance.monitored,
            subnet_id=instance.subnet_id,
            tags=data["tags"],
            spot_fleet_id=None,
            instance_interruption_behaviour=options.get("InstanceInterruptionBehavior"),
        )

    def launch_instance(self) -> Any:
        """Return the instance that RunInstances has launched."""
        return self._instance

    def becomes(self, state: str, code: str) -> None:
        """Take a new state."""
        self.state, self._status_code = state, code

    @property
    def status(self) -> dict[str, Any]:
        """Return the state's code; moto says that it is of 2015."""
        return {**super().status, "UpdateTime": self._created}

    @property
    def create_time(self) -> str:
        """When it was made; moto says 2015."""
        return self._created

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Know more filters than moto does."""
        if filter_name in {"instance-id", "type"}:
            return getattr(self, filter_name.replace("-", "_"))
        return super().get_filter_value(filter_name, method_name)


def refuse_options(market: dict[str, Any]) -> None:
    """Refuse market options that do not fit together, as RunInstances does."""
    options = market.get("SpotOptions", {})
    kind = options.get("SpotInstanceType", "one-time")
    behaviour = options.get("InstanceInterruptionBehavior", "terminate")
    if market and (kind == "persistent") == (behaviour == "terminate"):
        raise EC2ClientError(
            "InvalidParameterCombination",
            f"The request with type '{kind}' is not supported when instanceInterruptionBehavior is set to "
            f"'{behaviour}'.",
        )


def request_for(backend: Any, instance: Any, data: dict[str, Any]) -> None:
    """Note the request that stands behind a Spot instance."""
    request = Request(backend, instance, data)
    backend.spot_instance_requests[request.id] = request
    instance.lifecycle = "spot"
    instance.spot_instance_request_id = request.id


def _request_of(backend: Any, instance: Any) -> Any:
    """Return the request behind an instance, also one of RequestSpotInstances; None when there is none."""
    requests = backend.spot_instance_requests.values()
    return next((each for each in requests if each.instance is instance), None)


def refuse_stop(backend: Any, instance: Any) -> None:
    """Refuse to stop what cannot be stopped, in AWS's own words."""
    request = _request_of(backend, instance)
    if request is None:
        return
    if request.type == "one-time":
        raise EC2ClientError(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot "
            "Instance request. You can only stop Spot Instances associated with persistent Spot Instance "
            "requests.",
        )
    _refuse_state(request, instance, "stop")


def refuse_start(backend: Any, instance: Any) -> None:
    """Refuse to start what its cancelled request no longer stands behind."""
    request = _request_of(backend, instance)
    if request is not None:
        _refuse_state(request, instance, "start")


def _refuse_state(request: Any, instance: Any, verb: str) -> None:
    if request.state not in {"active", "disabled"}:
        raise EC2ClientError(
            "IncorrectSpotRequestState",
            f"You can't {verb} the Spot Instance '{instance.id}' because the associated Spot Instance "
            f"request is not in an appropriate state to support {verb}.",
        )


def stopped(backend: Any, instance: Any) -> None:
    """Disable the request of an instance that a person has stopped."""
    request = _request_of(backend, instance)
    if isinstance(request, Request):
        request.becomes("disabled", "instance-stopped-by-user")


def started(backend: Any, instance: Any) -> None:
    """Make the request of an instance that was started active again."""
    request = _request_of(backend, instance)
    if isinstance(request, Request):
        request.becomes("active", "fulfilled")


def ended(backend: Any, instance: Any) -> None:
    """Close the request of an ended instance; a persistent one starts another, unless it was cancelled."""
    request = _request_of(backend, instance)
    if not isinstance(request, Request) or request.state not in {"active", "disabled"}:
        return
    request.becomes("closed", "instance-terminated-by-user")
    if request.type == "persistent":
        request.instance = _another(backend, request)
        request.becomes("active", "fulfilled")


def _another(backend: Any, request: Request) -> Any:
    before = request.instance
    reservation = backend.run_instances(
        before.image_id,
        1,
        before.user_data,
        [],
        security_group_ids=list(before.security_groups),
        instance_type=before.instance_type,
        is_instance_type_default=False,
        subnet_id=before.subnet_id,
        key_name=before.key_name,
        region_name=backend.region_name,
        tags=request.data["tags"],
        lifecycle="spot",
    )
    instance = reservation.instances[0]
    instance.spot_instance_request_id = request.id
    return instance


@corrects(SpotRequestBackend, "cancel_spot_instance_requests")
def keep_cancelled_requests(
    _former: Callable[..., Any], backend: Any, request_ids: list[str]
) -> list[SpotInstanceRequest]:
    """Moto forgets a cancelled request, and answers 500 for one that it does not know."""
    requests = _found(backend, request_ids)
    for request in requests:
        alive = request.instance.state != "terminated"
        request.state = "cancelled"
        request._status_code = (  # noqa: SLF001 - moto has no other way to set it
            "request-canceled-and-instance-running" if alive else "instance-terminated-by-user"
        )
    return requests


@corrects(SpotRequestBackend, "describe_spot_instance_requests")
def refuse_unknown_requests(
    former: Callable[..., Any], backend: Any, filters: Any = None, spot_instance_ids: list[str] | None = None
) -> list[SpotInstanceRequest]:
    """Moto shows nothing for a request that does not exist; AWS refuses."""
    _found(backend, spot_instance_ids or [])
    found: list[SpotInstanceRequest] = former(backend, filters, spot_instance_ids)
    return found


def _found(backend: Any, request_ids: list[str]) -> list[Any]:
    for identifier in request_ids:
        if identifier not in backend.spot_instance_requests:
            raise EC2ClientError(
                "InvalidSpotInstanceRequestID.NotFound",
                f"The spot instance request ID '{identifier}' does not exist",
            )
    return [backend.spot_instance_requests[identifier] for identifier in request_ids]
