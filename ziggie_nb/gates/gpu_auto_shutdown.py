"""Exit criteria of 7.5.5: the function that stops idle GPU instances works, and somebody is told."""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, Verdict, Wait, expect, failed, passed
from ziggie_nb.gates.asking import ask, criterion, made_or_adopted, only_on_aws
from ziggie_nb.gates.documents import allows, condition_values, listed, names_action, principals, statements
from ziggie_nb.project import ROOT

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

GONE = "ResourceNotFoundException"
SOURCE = ROOT / "ziggie_nb" / "functions" / "gpu_auto_shutdown"
HANDLER = "gpu_auto_shutdown.handler.lambda_handler"
LAMBDA_ROLE_POLICY = "ziggie-lambda-execution"

# The day after which Lambda no longer mends a runtime:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
SUPPORTED_UNTIL = {
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}

RECENTLY = timedelta(hours=1)
"""How far back the gate looks for calls."""


def _function(aws: Aws, environment: Environment) -> Any:
    name = environment.gpu_auto_shutdown.function
    return ask(aws, "lambda:GetFunction", {GONE: f"function {name}"}, FunctionName=name)


def _configuration(aws: Aws, environment: Environment) -> Any:
    return _function(aws, environment)["Configuration"]


def _arn(environment: Environment, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{environment.region}:{environment.account_id}:{resource}"


def _function_arn(environment: Environment) -> str:
    return _arn(environment, "lambda", f"function:{environment.gpu_auto_shutdown.function}")


def _is_ours(aws: Aws, environment: Environment) -> Finding:
    tags = _function(aws, environment).get("Tags", {})
    return made_or_adopted(({"Key": k, "Value": v} for k, v in tags.items()), "lambda:GetFunction")


def _is_ready(aws: Aws, environment: Environment) -> Finding:
    found = _configuration(aws, environment)
    state, update = found.get("State", "unknown"), found.get("LastUpdateStatus", "unknown")
    evidence = f"lambda:GetFunction → State={state}, LastUpdateStatus={update}"
    return expect(
        holds=state in {"Active", "Inactive"} and update == "Successful",  # Lambda wakes an inactive one
        observed=f"{state}, last update {update}",
        evidence=evidence,
    )


def _runtime(aws: Aws, environment: Environment) -> Finding:
    runtime = _configuration(aws, environment)["Runtime"]
    until = SUPPORTED_UNTIL.get(runtime)
    observed = f"{runtime}, mended until {until}" if until else f"{runtime}, which this runbook does not know"
    return expect(
        holds=until is not None and datetime.now(UTC).date() <= until,
        observed=observed,
        evidence=f"lambda:GetFunction → Runtime={runtime}",
    )


def _code(aws: Aws, environment: Environment) -> Finding:
    """Compare what runs with this checkout, packed by the gate's own hands."""
    found = _configuration(aws, environment)
    running, here = found["CodeSha256"], _digest_of_checkout()
    return expect(
        holds=running == here and found["Handler"] == HANDLER,
        observed="this checkout's" if running == here else "other code than this checkout's",
        evidence=f"lambda:GetFunction → CodeSha256={running}, Handler={found['Handler']}",
    )


def _digest_of_checkout() -> str:
    """Return the digest of the function's folder as it is packed: stored, sorted, times and modes fixed."""
    files = {
        path.relative_to(SOURCE.parent).as_posix(): path.read_bytes()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, content if b"\0" in content else content.replace(b"\r\n", b"\n"))
    return b64encode(sha256(buffer.getvalue()).digest()).decode()


def _role(aws: Aws, environment: Environment) -> Finding:
    role = _configuration(aws, environment)["Role"]
    wanted = f"arn:aws:iam::{environment.account_id}:role/{environment.iam.lambda_role}"
    return expect(
        holds=role == wanted,
        observed=f"runs as {role.rpartition('/')[2]}",
        evidence=f"lambda:GetFunction → Role={role}",
    )


def _least_privilege(aws: Aws, environment: Environment) -> Finding:
    """Nothing is attached to the role but our policy, and nothing may be ended that is no GPU of ours."""
    name = environment.iam.lambda_role
    call = "iam:ListAttachedRolePolicies"
    attached = ask(aws, call, {"NoSuchEntity": f"role {name}"}, RoleName=name).get("AttachedPolicies", [])
    arn = f"arn:aws:iam::{environment.account_id}:policy/{LAMBDA_ROLE_POLICY}"
    others = {each["PolicyName"] for each in attached if each["PolicyArn"] != arn}
    if arn not in {each["PolicyArn"] for each in attached} or others:
        observed = f"attached: {listed(each['PolicyName'] for each in attached)}"
        return failed(observed, f"{call} → {observed}")
    gone = {"NoSuchEntity": f"policy {LAMBDA_ROLE_POLICY}"}
    version = ask(aws, "iam:GetPolicy", gone, PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = ask(aws, "iam:GetPolicyVersion", gone, PolicyArn=arn, VersionId=version)
    granted = [each for each in statements(found["PolicyVersion"]["Document"]) if allows(each)]
    loose = {action for action in ENDING for each in granted if names_action(each, action) and not _gpu(each)}
    bound = "GPU instances of ours only"
    return expect(
        holds=not loose,
        observed=f"not bound to {bound}: {listed(loose)}" if loose else bound,
        evidence=f"iam:GetPolicyVersion → {len(granted)} statements; {call} → {LAMBDA_ROLE_POLICY}",
    )


ENDING = ("ec2:StopInstances", "ec2:TerminateInstances", "ec2:CreateTags", "ec2:DeleteTags")


def _gpu(statement: Any) -> bool:
    equals = partial(condition_values, statement, ("StringEquals",))
    return equals("aws:ResourceTag/Project") == ["Ziggie"] and equals("aws:ResourceTag/Type") == ["GPU"]


def _rule(aws: Aws, environment: Environment) -> Finding:
    settings = environment.gpu_auto_shutdown
    call = "events:DescribeRule"
    found = ask(aws, call, {GONE: f"rule {settings.rule}"}, Name=settings.rule)
    schedule, state = found.get("ScheduleExpression", "no schedule"), found["State"]
    return expect(
        holds=(schedule, state) == (settings.schedule, "ENABLED"),
        observed=f"{schedule}, {state.lower()}",
        evidence=f"{call} → ScheduleExpression={schedule}, State={state}",
    )


def _target(aws: Aws, environment: Environment) -> Finding:
    rule, call = environment.gpu_auto_shutdown.rule, "events:ListTargetsByRule"
    targets = ask(aws, call, {GONE: f"rule {rule}"}, Rule=rule).get("Targets", [])
    ours = [each for each in targets if each["Arn"] == _function_arn(environment)]
    others = len(targets) - len(ours)
    beside = f"; {others} of somebody else's" if others else ""
    return expect(
        holds=len(ours) == 1 and "Input" not in ours[0],
        observed=("the function" if len(ours) == 1 else f"the function {len(ours)} times") + beside,
        evidence=f"{call} → {listed(each['Arn'] for each in targets)}",
    )


def _permission(aws: Aws, environment: Environment) -> Finding:
    """The rule may call the function, and no service may without saying for what."""
    settings, call = environment.gpu_auto_shutdown, "lambda:GetPolicy"
    gone = {GONE: "permission to call the function"}
    answer = ask(aws, call, gone, FunctionName=settings.function)
    granted = [each for each in statements(answer["Policy"]) if allows(each)]
    rule = _arn(environment, "events", f"rule/{settings.rule}")
    sources = {sid: _sources(each) for sid, each in enumerate(granted)}
    lets = [sid for sid, each in enumerate(granted) if _is_for_events(each) and sources[sid] == [rule]]
    bare = [each.get("Sid", "?") for sid, each in enumerate(granted) if not sources[sid]]
    named = [source for each in sources.values() for source in each]
    faults = [
        *([] if lets else ["the rule may not call it"]),
        *([f"anybody's may, by {listed(bare)}"] if bare else []),
    ]
    return expect(
        holds=not faults,
        observed="; ".join(faults) or "this rule may call it",
        evidence=f"{call} → {len(granted)} statements, for {listed(named)}",
    )


def _is_for_events(statement: Any) -> bool:
    calls = names_action(statement, "lambda:InvokeFunction")
    return calls and principals(statement) == {"Service events.amazonaws.com"}


def _sources(statement: Any) -> list[str]:
    keys = ("aws:SourceArn", "aws:SourceAccount", "aws:PrincipalOrgID")
    operators = ("ArnLike", "ArnEquals", "StringEquals", "StringLike")
    return [value for key in keys for value in condition_values(statement, operators, key)]


def _told(aws: Aws, environment: Environment) -> Finding:
    """Compare the few settings that decide when an instance is ended, and whom the function tells."""
    settings = environment.gpu_auto_shutdown
    found = _configuration(aws, environment).get("Environment", {}).get("Variables", {})
    wanted = {
        "IDLE_MINUTES": f"{settings.idle_minutes}",
        "CPU_PERCENT": f"{settings.cpu_percent:g}",
        "ACT_AFTER_CYCLES": f"{settings.delay_cycles}",
        "DRY_RUN": f"{int(settings.dry_run)}",
        "TERMINATE_ONE_TIME_SPOT": f"{int(settings.terminate_one_time)}",
        "TERMINATE_STOPPED": f"{int(settings.terminate_stopped)}",
        "TOPIC_ARN": _arn(environment, "sns", settings.topic),
    }
    other = [f"{name}={found.get(name, 'not set')}" for name in wanted if found.get(name) != wanted[name]]
    if not environment.is_sandbox and "ALLOW_NOW" in found:
        other.append("ALLOW_NOW is set: whoever calls it may tell it the time")
    return expect(
        holds=not other,
        observed=listed(other) if other else f"idle for {settings.idle_minutes} minutes, as asked",
        evidence=f"lambda:GetFunction → {len(found)} variables, IDLE_MINUTES={found.get('IDLE_MINUTES')}",
    )


def _topic(aws: Aws, environment: Environment) -> Finding:
    """The topic is there, and AWS's services publish for this account only."""
    call, name = "sns:GetTopicAttributes", environment.gpu_auto_shutdown.topic
    arn = _arn(environment, "sns", name)
    found = ask(aws, call, {"NotFound": f"topic {name}"}, TopicArn=arn)["Attributes"]
    granted = [each for each in statements(found.get("Policy", "{}")) if allows(each)]
    missing = {"budgets.amazonaws.com", "cloudwatch.amazonaws.com"} - {
        service.removeprefix("Service ") for each in granted for service in principals(each)
    }
    loose = [each.get("Sid", "?") for each in granted if not _for_us(each, environment)]
    faults = [
        *([f"{listed(missing)} may not publish"] if missing else []),
        *([f"other accounts may publish, by {listed(loose)}"] if loose else []),
    ]
    return expect(
        holds=not faults,
        observed="; ".join(faults) or "there, for this account only",
        evidence=f"{call} → TopicArn={arn}, {len(granted)} statements",
    )


def _for_us(statement: Any, environment: Environment) -> bool:
    keys = ("aws:SourceAccount", "aws:SourceOwner")
    ours = [condition_values(statement, ("StringEquals",), key) for key in keys]
    named = {f"AWS arn:aws:iam::{environment.account_id}:root", f"AWS {environment.account_id}"}
    who = principals(statement)
    return [environment.account_id] in ours or (bool(who) and who <= named)


def _subscribed(aws: Aws, environment: Environment) -> Finding:
    subscriptions = _subscriptions(aws, environment)
    evidence = f"sns:ListSubscriptionsByTopic → {len(subscriptions)} for the address"
    there = bool(subscriptions - {"Deleted"})
    return expect(holds=there, observed="subscribed" if there else "nobody is told", evidence=evidence)


def _confirmed(aws: Aws, environment: Environment) -> Finding:
    found = _subscriptions(aws, environment)
    call = "sns:ListSubscriptionsByTopic"
    if any(each.startswith("arn:") for each in found):
        return passed("confirmed by its reader", f"{call} → an ARN")
    if "PendingConfirmation" not in found:
        return failed("nobody is told", f"{call} → {listed(found)}")
    wait = Wait(
        who="the reader of cost_monitoring.alert_email",
        where="the mail from AWS Notifications; its link lasts two days",
        usually="minutes",
    )
    return Finding(Verdict.WAIT, "not confirmed yet", f"{call} → PendingConfirmation", wait)


def _subscriptions(aws: Aws, environment: Environment) -> set[str]:
    """Return the ARNs (or the words in their place) of the address's subscriptions."""
    name = environment.gpu_auto_shutdown.topic
    arn, address = _arn(environment, "sns", name), environment.cost_monitoring.alert_email
    found = ask(aws, "sns:ListSubscriptionsByTopic", {"NotFound": f"topic {name}"}, TopicArn=arn)
    return {
        each["SubscriptionArn"]
        for each in found.get("Subscriptions", [])
        if (each["Protocol"], each["Endpoint"]) == ("email", address)
    }


def _alarm(metric: str, missing: str, aws: Aws, environment: Environment) -> Finding:
    """An alarm on this metric of the function tells the topic; missing data counts as it must."""
    settings, call = environment.gpu_auto_shutdown, "cloudwatch:DescribeAlarms"
    names = [f"{settings.function}-errors", f"{settings.function}-missing"]
    topic = _arn(environment, "sns", settings.topic)
    dimensions = [{"Name": "FunctionName", "Value": settings.function}]
    found = [
        each
        for each in ask(aws, call, {}, AlarmNames=names).get("MetricAlarms", [])
        if (each.get("Namespace"), each.get("MetricName")) == ("AWS/Lambda", metric)
        and each.get("Dimensions") == dimensions
    ]
    if not found:
        return failed(f"no alarm on {metric}", f"{call} → none on {metric}")
    alarm = found[0]
    treated = alarm.get("TreatMissingData", "missing")
    tells = alarm["ActionsEnabled"] and topic in alarm.get("AlarmActions", [])
    return expect(
        holds=tells and treated == missing,
        observed=f"{'tells the topic' if tells else 'tells nobody'}; no data counts as {treated}",
        evidence=f"{call} → {alarm['AlarmName']}, TreatMissingData={treated}",
    )


def _retention(aws: Aws, environment: Environment) -> Finding:
    settings, call = environment.gpu_auto_shutdown, "logs:DescribeLogGroups"
    name = f"/aws/lambda/{settings.function}"
    groups = ask(aws, call, {}, logGroupNamePrefix=name).get("logGroups", [])
    found: Any = next((each for each in groups if each["logGroupName"] == name), None)
    if found is None:
        return failed(f"log group {name} is not there", f"{call} → none")
    days = found.get("retentionInDays")
    return expect(
        holds=days == settings.log_retention_days,
        observed=f"{days} days" if days else "for ever",
        evidence=f"{call} → retentionInDays={days}",
    )


def _has_run(aws: Aws, environment: Environment) -> Finding:
    """It was called lately, and did not fail; the newest datapoint decides."""
    period = timedelta(minutes=5)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    calls, errors = (_sums(aws, environment, metric, now, period) for metric in ("Invocations", "Errors"))
    if not calls:
        usually = "one round of the schedule, 5 minutes"
        waits = Wait(who="AWS", where="the rule's schedule", usually=usually, minutes=12)
        call = "cloudwatch:GetMetricStatistics → Invocations: no datapoint"
        return Finding(Verdict.WAIT, "not called within the last hour", call, waits)
    last = max(calls)
    return expect(
        holds=not errors.get(last, 0),
        observed=f"called {sum(calls.values()):g} times within the last hour, "
        + ("the last time with an error" if errors.get(last, 0) else "the last time without an error"),
        evidence=f"cloudwatch:GetMetricStatistics → Invocations={sum(calls.values()):g}, "
        f"Errors={sum(errors.values()):g}",
    )


def _sums(
    aws: Aws, environment: Environment, metric: str, now: datetime, period: timedelta
) -> dict[datetime, float]:
    answer = ask(
        aws,
        "cloudwatch:GetMetricStatistics",
        {},
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": environment.gpu_auto_shutdown.function}],
        StartTime=now - RECENTLY,
        EndTime=now,
        Period=int(period.total_seconds()),
        Statistics=["Sum"],
    )
    return {each["Timestamp"]: each["Sum"] for each in answer.get("Datapoints", []) if each["Sum"]}


FUNCTION = ("lambda:GetFunction",)
SUBSCRIPTIONS = ("sns:ListSubscriptionsByTopic",)
ALARMS = ("cloudwatch:DescribeAlarms",)
POLICIES = ("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListAttachedRolePolicies")

CRITERIA = (
    criterion("7.5.5.1", "shutdown-function", "Function", "there, with our tags", _is_ours, *FUNCTION),
    criterion("7.5.5.1", "shutdown-ready", "Function's state", "ready", _is_ready, *FUNCTION),
    criterion("7.5.5.1", "shutdown-runtime", "Function's runtime", "one that is mended", _runtime, *FUNCTION),
    criterion("7.5.5.1", "shutdown-code", "Deployed code", "this checkout's", _code, *FUNCTION),
    criterion("7.5.5.1", "shutdown-role", "Function's role", "iam.lambda_role", _role, *FUNCTION),
    criterion(
        "7.5.5.1",
        "shutdown-least-privilege",
        "What the function may end",
        "GPU instances of ours only",
        _least_privilege,
        *POLICIES,
    ),
    criterion(
        "7.5.5.1",
        "shutdown-log",
        "Function's log",
        "kept for log_retention_days",
        _retention,
        "logs:DescribeLogGroups",
    ),
    criterion("7.5.5.2", "shutdown-rule", "Schedule", "as asked, enabled", _rule, "events:DescribeRule"),
    criterion(
        "7.5.5.2",
        "shutdown-target",
        "What the rule calls",
        "the function",
        _target,
        "events:ListTargetsByRule",
    ),
    criterion(
        "7.5.5.2",
        "shutdown-permission",
        "Who may call the function",
        "this rule, by its ARN",
        _permission,
        "lambda:GetPolicy",
    ),
    criterion(
        "7.5.5.2",
        "shutdown-has-run",
        "Calls within the last hour",
        "some, the last one without an error",
        only_on_aws(_has_run),
        "cloudwatch:GetMetricStatistics",
    ),
    criterion("7.5.5.3", "shutdown-settings", "Function's settings", "the parameters'", _told, *FUNCTION),
    criterion(
        "7.5.5.4", "shutdown-topic", "Topic", "for this account only", _topic, "sns:GetTopicAttributes"
    ),
    criterion(
        "7.5.5.4", "shutdown-subscribed", "Reader of the notices", "subscribed", _subscribed, *SUBSCRIPTIONS
    ),
    criterion(
        "7.5.5.4",
        "shutdown-confirmed",
        "Subscription",
        "confirmed",
        only_on_aws(_confirmed),
        *SUBSCRIPTIONS,
    ),
    criterion(
        "7.5.5.4",
        "shutdown-alarm-errors",
        "Alarm when it fails",
        "tells the topic; no data is no error",
        partial(_alarm, "Errors", "notBreaching"),
        *ALARMS,
    ),
    criterion(
        "7.5.5.4",
        "shutdown-alarm-missing",
        "Alarm when it does not run",
        "tells the topic; no data is the alarm",
        partial(_alarm, "Invocations", "breaching"),
        *ALARMS,
    ),
)
