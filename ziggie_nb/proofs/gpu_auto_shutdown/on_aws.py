"""One small instance is started on AWS, and waited for until the deployed function has stopped it.

Nothing is handed in and nothing is planted: the schedule calls the function, and EC2's own metrics say that
the instance is idle. That takes as long as it takes (:mod:`patience`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from botocore import exceptions

from ziggie_nb import prices
from ziggie_nb.aws import error_code, is_aws
from ziggie_nb.errors import CredentialsEndedError, RunbookError
from ziggie_nb.functions.gpu_auto_shutdown.decision import IDLE_SINCE, STOPPED_AT, moment_of
from ziggie_nb.functions.gpu_auto_shutdown.settings import ConfigurationError, Settings
from ziggie_nb.gpu import launching
from ziggie_nb.phases.gpu_auto_shutdown import cycle_minutes, idle_settings
from ziggie_nb.policies import Grant
from ziggie_nb.proofs.gpu_auto_shutdown import box, function_log
from ziggie_nb.proofs.gpu_auto_shutdown.patience import Patience, minutes, never_stops, never_ticks
from ziggie_nb.proofs.gpu_auto_shutdown.shared import ShutdownProof
from ziggie_nb.proofs.model import ProofRow
from ziggie_nb.resources.answers import tags_as_dict

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.gpu.launching import Sleep, Tell
    from ziggie_nb.resources.events import RuleTarget
    from ziggie_nb.settings import Environment

T = TypeVar("T")

SECONDS_BETWEEN_LOOKS = 20.0
"""The tag of an announcement may be there for a minute only, and must not be missed."""
TOLD_EVERY = timedelta(minutes=5)
SETTLING_LOOKS, SETTLING_SECONDS = 6, 10.0
"""How often what comes, or goes, some seconds later is looked for."""
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
BY_A_CALL = "Client.UserInitiatedShutdown"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stopped:
    """What was seen of an instance until it had stopped.

    Attributes:
        instance: DescribeInstances' entry in the end.
        announced: value of the tag that the function sets before; None when it was never seen.
        after: from the start to the stop.
    """

    instance: Any
    announced: str | None
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class WaitingProof(ShutdownProof):
    """One small instance, stopped by the deployed function on its own schedule.

    Attributes:
        environment: the parameters.
        target: what the schedule calls.
        sleep: takes seconds; tests hand in their own.
        clock: tells the time; likewise.
    """

    environment: Environment = field(repr=False)
    target: RuleTarget
    sleep: Sleep = field(default=time.sleep, repr=False)
    clock: Callable[[], datetime] = field(default=_now, repr=False)

    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:CreateTags",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstances",
        "ec2:DescribeSubnets",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcs",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "lambda:GetFunction",
        "lambda:TagResource",
        "logs:FilterLogEvents",
        "ssm:GetParameters",
    )

    def grants(self, environment: Environment) -> tuple[Grant, ...]:
        """Return what it needs: looking, the one instance, and the function's log."""
        looks = tuple(each for each in self.permissions if each.startswith("ec2:Describe"))
        events = tuple(each for each in self.permissions if each.startswith("events:"))
        return (
            Grant(looks, ("*",)),
            Grant(events, self.target.rule.scope(environment)),
            Grant(("lambda:GetFunction", "lambda:TagResource"), self.resource.scope(environment)),
            Grant(("logs:FilterLogEvents",), self.resource.log_group.scope(environment)),
            *box.grants(environment),
        )

    @property
    def off(self) -> str | None:
        """Why the parameters do not let an instance be waited for, or None."""
        url = self.environment.endpoint_url
        if url is not None and not is_aws(url):
            return _not_aws(url)
        told = idle_settings(self.environment)
        return never_stops(told, box.INSTANCE_TYPE) or never_ticks(self.target.rule.schedule)

    def tried(self) -> list[str]:
        """Return what is started."""
        return [box.INSTANCE_TYPE, box.IMAGE_PARAMETER]

    def price(self, patience: Patience) -> str:
        """Say what it costs at most, before anything is started."""
        hour, region = prices.EC2_T3_MICRO_HOUR, self.environment.region
        head = f"One {box.INSTANCE_TYPE} for at most {minutes(patience.limit)} minutes"
        if region != hour.region:
            return f"{head}; its price in {region} is not known here: {hour.page}"
        most = math.ceil(hour * (patience.limit / timedelta(hours=1)) * 100) / 100
        return f"{head}: ${hour:.4f} an hour ({hour.as_of}), at most ${most:.2f}; its disk, less than a cent."

    def run(self, aws: Aws, tell: Tell = launching.silent) -> list[ProofRow]:
        """Start one instance, wait until the function has stopped it, and end it whatever comes of that.

        Raises:
            WaitingError: AWS has no instance to give, or the quota is used up.
            RunbookError: the function would never stop it, or has not stopped it in time.
        """
        self._refuse_elsewhere(aws)
        box.end(aws, tell=tell, sleep=self.sleep)  # of an earlier proof that was killed
        patience = self._patience(aws)
        tell(self.price(patience))
        tell(f"{patience.in_words()} The readers of {self.told.topic} get its notices.")
        ids, started = list[str](), self.clock()
        try:
            ids.append(box.launch(aws, self.environment, tell=tell))
            stopped = self._wait(aws, ids[0], started, patience, tell)
            rows = list(self._rows(aws, stopped, started, patience))
        finally:
            self._clean_up(aws, ids, tell)
        return [*rows, self._gone(aws, ids[0])]

    # --- before ---

    def _refuse_elsewhere(self, aws: Aws) -> None:
        why = self.off or (_not_aws(aws.endpoint) if aws.endpoint else None)
        if why:
            raise RunbookError(f"Nothing was started: {why}.")

    def _patience(self, aws: Aws) -> Patience:
        """Read what the deployed function is told, and how often it is called.

        Raises:
            RunbookError: it would never stop an idle instance, or is never called.
        """
        view = aws.view()
        function, rule = self.resource.read(view), self.target.rule.read(view)
        if function is None or rule is None:
            raise self._refused(f"there is no {'function' if function is None else 'rule'} of phase 05")
        try:
            settings = Settings.from_environment(function["environment"])
        except ConfigurationError as error:
            raise self._refused(f"the function cannot work: {error}") from error
        called = {each["Arn"] for each in self.target.rule.targets(view).values()}
        causes = {
            f"the rule {self.target.rule.name} is {rule['state']}": rule["state"] != "ENABLED",
            f"the rule {self.target.rule.name} does not call it": self.resource.arn(aws) not in called,
            "no share of Lambda's concurrency is left to it": function["reserved"] == 0,
        }
        why = next((cause for cause, holds in causes.items() if holds), None)
        why = why or never_stops(settings, box.INSTANCE_TYPE) or never_ticks(rule["schedule"])
        if why:
            raise self._refused(why)
        return Patience(settings, timedelta(minutes=cycle_minutes(rule["schedule"])))

    def _refused(self, why: str) -> RunbookError:
        repair = f"ziggie run --env {self.environment.name} --only 05"
        return RunbookError(f"Nothing was started: {why}. `{repair}` makes it as the parameters ask.")

    # --- waiting ---

    def _wait(self, aws: Aws, instance_id: str, started: datetime, patience: Patience, tell: Tell) -> Stopped:
        """Look until it has stopped; say every few minutes, and at every change, how far it is.

        Raises:
            RunbookError: it was ended by somebody, or still runs when waiting ends.
        """
        announced, told = None, None
        while True:
            instance = _seen(aws, instance_id, tell)
            state, passed = _state(instance), self.clock() - started
            announced = _tags(instance).get(IDLE_SINCE) or announced
            if state == "stopped":
                return Stopped(instance, announced, _stopped_after(instance) or passed)
            if state in launching.ENDED:
                raise RunbookError(_ended(instance, passed))
            if passed >= patience.limit:
                raise RunbookError(self._overdue(aws, instance_id, state, started, patience))
            now = (state, announced, passed // TOLD_EVERY)
            if now != told:
                told = now
                tell(_progress(instance_id, state, passed, announced))
            self.sleep(SECONDS_BETWEEN_LOOKS)

    def _overdue(self, aws: Aws, instance_id: str, state: str, started: datetime, patience: Patience) -> str:
        """Say that it was not stopped, with what the function said last."""
        waited, due, log = minutes(patience.limit), minutes(patience.longest), self.resource.log_group.name
        return (
            f"{instance_id} is {state} after {waited} minutes; the function should have stopped it after "
            f"{due} at most. {function_log.last_words(aws, log, instance_id, started)} Look at the log group "
            f"{log}, and in CloudWatch at CPUUtilization, NetworkIn and NetworkOut of {instance_id}."
        )

    # --- judging ---

    def _rows(self, aws: Aws, stopped: Stopped, started: datetime, patience: Patience) -> Iterator[ProofRow]:
        instance = stopped.instance
        if patience.settings.delay_cycles:
            yield ProofRow(
                case="announced before",
                expected=f"the tag {IDLE_SINCE}",
                observed=f"{IDLE_SINCE}={stopped.announced}" if stopped.announced else "never seen",
                ok=stopped.announced is not None,
            )
        earliest, latest = minutes(patience.earliest), minutes(patience.limit)
        yield ProofRow(
            case="stopped, not terminated",
            expected=f"{earliest} to {latest} minutes after its start",
            observed=f"{instance['State']['Name']} after {minutes(stopped.after)} minutes",
            ok=patience.earliest <= stopped.after <= patience.limit,
        )
        reason = instance.get("StateReason", {}).get("Code", "no reason")
        yield ProofRow(case="through EC2's API", expected=BY_A_CALL, observed=reason, ok=reason == BY_A_CALL)
        yield self._by_the_function(aws, instance["InstanceId"], started)

    def _by_the_function(self, aws: Aws, instance_id: str, started: datetime) -> ProofRow:
        """Compare with what the function itself has written; its lines come some seconds later."""
        pattern = f"{instance_id} ({box.NAME}): stop: "

        def look() -> list[str]:
            said = function_log.lines(aws, self.resource.log_group.name, instance_id, started)
            return [line for line in said if line.startswith(pattern)]

        try:
            found = self._patiently(look)
            observed = found[-1].removeprefix(pattern) if found else "nothing of a stop"
        except exceptions.ClientError as error:
            found, observed = [], f"cannot be read: {error_code(error)}"
        return ProofRow(
            case="by the function, as its log says",
            expected="that it was idle",
            observed=observed,
            ok=any(": stop: idle " in line for line in found),
        )

    def _patiently(self, look: Callable[[], T]) -> T:
        """Look until there is something, for a minute at most; return what was seen last."""
        for _look in range(SETTLING_LOOKS):
            if found := look():
                return found
            self.sleep(SETTLING_SECONDS)
        return look()

    # --- afterwards ---

    def _clean_up(self, aws: Aws, ids: list[str], tell: Tell) -> None:
        """End it; where that fails, say what is left and how it goes.

        Raises:
            CredentialsEndedError: they ran out while it was waited for.
            RunbookError: AWS refused, or could not be reached.
        """
        left = (
            f"{ids[0] if ids else 'An instance'} of this proof may still be there: the next run with --prove "
            f"ends it, or whoever terminates {box.NAME} in the EC2 console."
        )
        try:
            box.end(aws, ids, tell=tell, sleep=self.sleep)
        except CredentialsEndedError as error:
            raise CredentialsEndedError(f"{error} {left}") from error
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise RunbookError(f"{left} {error}") from error

    def _gone(self, aws: Aws, instance_id: str) -> ProofRow:
        """Say what is left of it."""
        self._patiently(lambda: not box.volumes(aws))
        now = _state(launching.find(aws, instance_id))
        left = [*([instance_id] if now != "terminated" else []), *box.volumes(aws)]
        return ProofRow(
            case="what is left afterwards",
            expected="nothing",
            observed=", ".join(left) or "nothing",
            ok=not left,
        )


def _not_aws(endpoint: str) -> str:
    return (
        f"{endpoint} is not AWS: no schedule ticks there, and no instance reports anything. Elsewhere than "
        "on AWS only the decision is proven, on the sandbox"
    )


def _seen(aws: Aws, instance_id: str, tell: Tell) -> Any | None:
    """Return DescribeInstances' entry; None when it is not there yet, or AWS is out of reach for a while."""
    try:
        return launching.find(aws, instance_id)
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        tell(f"AWS could not be reached ({type(error).__name__}); waiting on.")
        return None


def _state(instance: Any | None) -> str:
    return str(instance["State"]["Name"]) if instance else "not there"


def _tags(instance: Any | None) -> dict[str, str]:
    return tags_as_dict(instance.get("Tags", [])) if instance else {}


def _stopped_after(instance: Any) -> timedelta | None:
    """Return how long it ran, by EC2's own clock; None where EC2 words it otherwise."""
    found = STOPPED_AT.search(instance.get("StateTransitionReason", ""))
    moment = moment_of(found[1]) if found else None
    return moment - instance["LaunchTime"] if moment else None


def _ended(instance: Any, passed: timedelta) -> str:
    why = instance.get("StateReason", {}).get("Message", "AWS does not say why")
    return (
        f"{instance['InstanceId']} was ended after {minutes(passed)} minutes, and not stopped: {why}. The "
        "function never does that to such an instance; CloudTrail's TerminateInstances says who did."
    )


def _progress(instance_id: str, state: str, passed: timedelta, announced: str | None) -> str:
    said = f"found idle at {announced}" if announced else "not announced yet"
    return f"{instance_id} is {state} after {minutes(passed)} minutes, {said}."
