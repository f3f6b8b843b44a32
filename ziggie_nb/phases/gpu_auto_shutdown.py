"""Phase 05, 7.5.5: the function that stops idle GPU instances, what calls it, and who is told."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from ziggie_nb import prices
from ziggie_nb.functions import gpu_auto_shutdown as source
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings
from ziggie_nb.phases.iam import lambda_role
from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.gpu_auto_shutdown import CHECKS
from ziggie_nb.resources import alarms, events, functions, logs, sns

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment

SOURCE = "gpu_auto_shutdown"
"""The function's folder."""

MINUTES = {"minute": 1, "hour": 60, "day": 1440}
MINUTES_A_DAY = MINUTES["day"]
CYCLE_OF_CRON = 5
"""Minutes between two runs where the schedule is a cron expression and does not say: the plan's."""

MISSED_RUNS = 3
"""So many runs in a row may be missing before the alarm goes off."""
LONGEST_ALARM_DAYS = 7
"""An alarm looks no further back.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""


def shutdown_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return function, schedule, topic and alarms.

    The target comes after the settings and the topic: a function that is called before would not know
    what it may end, nor whom to tell.
    """
    settings = environment.gpu_auto_shutdown
    log_group = logs.LogGroup(
        task="7.5.5.1", name=f"/aws/lambda/{settings.function}", retention_days=settings.log_retention_days
    )
    function = functions.Function(
        task="7.5.5.1",
        name=settings.function,
        source=SOURCE,
        handler=source.HANDLER,
        role=lambda_role(environment),
        log_group=log_group,
        description="Ziggie: stops GPU instances that are idle",
        calls_a_month=30 * MINUTES_A_DAY / cycle_minutes(settings.schedule),
    )
    topic = sns.Topic(task="7.5.5.4", name=settings.topic)
    return (
        log_group,
        function,
        functions.FunctionConcurrency(task="7.5.5.1", name=settings.function, function=function),
        functions.FunctionEnvironment(
            task="7.5.5.3",
            name=settings.function,
            function=function,
            variables=variables(environment),
            topic_variable="TOPIC_ARN",
            topic=settings.topic,
        ),
        topic,
        sns.EmailSubscription(task="7.5.5.4", name=environment.cost_monitoring.alert_email, topic=topic),
        *_schedule(environment, function),
        *_alarms(environment, function, topic),
    )


def _schedule(environment: Environment, function: functions.Function) -> tuple[Resource, ...]:
    settings = environment.gpu_auto_shutdown
    rule = events.ScheduleRule(
        task="7.5.5.2",
        name=settings.rule,
        schedule=settings.schedule,
        description="Ziggie: looks for idle GPU instances",
    )
    return (
        rule,
        functions.FunctionPermission(task="7.5.5.2", name=settings.function, function=function, rule=rule),
        events.RuleTarget(task="7.5.5.2", name=settings.rule, rule=rule, function=function),
    )


def _alarms(
    environment: Environment, function: functions.Function, topic: sns.Topic
) -> tuple[alarms.FunctionAlarm, ...]:
    """Return the two alarms: it runs and fails, or it does not run at all."""
    cycle = cycle_minutes(environment.gpu_auto_shutdown.schedule)
    period = min(cycle, MINUTES_A_DAY)
    watched: Any = {"task": "7.5.5.4", "function": function, "topic": topic, "period_seconds": period * 60}
    return (
        alarms.FunctionAlarm(
            **watched,
            name=f"{function.name}-errors",
            metric="Errors",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            periods=1,
            missing="notBreaching",
            description=f"{function.name} has failed: idle GPU instances may go on running. Look at its "
            f"log, {function.log_group.name}.",
        ),
        alarms.FunctionAlarm(
            **watched,
            name=f"{function.name}-missing",
            metric="Invocations",
            comparison="LessThanThreshold",
            threshold=1,
            periods=min(MISSED_RUNS * math.ceil(cycle / period), LONGEST_ALARM_DAYS),
            missing="breaching",
            description=f"{function.name} does not run: idle GPU instances are not stopped. Look at the rule "
            f"{environment.gpu_auto_shutdown.rule} and its target.",
        ),
    )


def idle_settings(environment: Environment) -> Settings:
    """Return what the function is told, as it reads it itself."""
    return Settings.from_environment(variables(environment))


def cycle_minutes(schedule: str) -> int:
    """Return the minutes between two runs of a ``rate(…)``; for ``cron(…)`` the plan's."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    return int(found[1]) * MINUTES[found[2]] if found else CYCLE_OF_CRON


def variables(environment: Environment) -> dict[str, str]:
    """Return what the function is told, by its names; where the topic is, it is told by the resource."""
    settings = environment.gpu_auto_shutdown
    told: dict[str, object] = {
        "IDLE_MINUTES": settings.idle_minutes,
        "CPU_PERCENT": settings.cpu_percent,
        "GPU_PERCENT": settings.gpu_percent,
        "NETWORK_BYTES": settings.network_bytes,
        "QUEUE_LENGTH": settings.queue_length,
        "REQUIRED_SIGNALS": ",".join(settings.required_signals),
        "GRACE_MINUTES": settings.grace_minutes,
        "CYCLE_MINUTES": cycle_minutes(settings.schedule),
        "ACT_AFTER_CYCLES": settings.delay_cycles,
        "MAX_AGE_HOURS": settings.maximum_age_hours or 0,
        "STOPPED_DAYS": settings.stopped_days or 0,
        "REMIND_HOURS": settings.remind_hours,
        "TERMINATE_ONE_TIME_SPOT": int(settings.terminate_one_time),
        "TERMINATE_STOPPED": int(settings.terminate_stopped),
        "DRY_RUN": int(settings.dry_run),
        "PRICES": json.dumps(_prices(environment), sort_keys=True),
    }
    if environment.is_sandbox:
        told["ALLOW_NOW"] = 1  # the proof hands in the time; on AWS the clock alone counts
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in told.items()}


def _prices(environment: Environment) -> dict[str, float]:
    """Return dollars an hour by kind of instance, for what a notice says it saves.

    Of Spot only the cap is known before its day's price is, so a notice says at most that.
    """
    listed = prices.EC2_ON_DEMAND_HOUR.items()
    on_demand = {kind: price for (region, kind), price in listed if region == environment.region}
    spot, cap = environment.gpu_spot, environment.gpu_spot.maximum_price_usd_per_hour
    return on_demand | ({} if cap is None else {f"{spot.instance_type}/spot": cap})


PHASE = Phase(
    id="05",
    task="7.5.5",
    title="Lambda auto-shutdown",
    notebook="05_gpu_auto_shutdown",
    section="gpu_auto_shutdown",
    needs=("02",),
    resources=shutdown_resources,
    checks=CHECKS,
)
