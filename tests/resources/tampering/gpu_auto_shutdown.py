"""How somebody else changes what phase 05 has made: function, log group, rule, topic, alarms."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from ziggie_nb import packaging
from ziggie_nb.resources import alarms, events, functions, logs, sns

from .documents import differently
from .model import Act, Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

OTHER_ROLE = "arn:aws:iam::123456789012:role/another"
OTHER_FUNCTION = "arn:aws:lambda:eu-north-1:123456789012:function:another"
OTHER_TOPIC = "arn:aws:sns:eu-north-1:123456789012:another"


def configure(**parameters: Any) -> Tampering:
    """Return how to change one setting of the function."""
    ((_name, value),) = parameters.items()

    def act(account: Account, function: functions.Function, _path: Path) -> object:
        account.raw("lambda").update_function_configuration(FunctionName=function.name, **parameters)
        return value["Mode"] if isinstance(value, dict) else value

    return Tampering(act, ("lambda:UpdateFunctionConfiguration",))


def upload(account: Account, function: functions.Function, _path: Path) -> str:
    """Upload other code, as the console does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_function.py", "lambda_handler = print\n")
    account.raw("lambda").update_function_code(FunctionName=function.name, ZipFile=buffer.getvalue())
    return packaging.Package(buffer.getvalue()).sha256


def move_to_arm(account: Account, function: functions.Function, _path: Path) -> str:
    """Upload the same code for the other kind of processor."""
    content = packaging.package(function.source).content
    account.raw("lambda").update_function_code(
        FunctionName=function.name, ZipFile=content, Architectures=["arm64"]
    )
    return "arm64"


def change_variable(account: Account, part: functions.FunctionEnvironment, path: Path) -> str:
    """Change one environment variable."""
    client, name = account.raw("lambda"), part.function.name
    found = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    changed = {"Variables": {**found, path[1]: "changed"}}
    client.update_function_configuration(FunctionName=name, Environment=changed)
    return "changed"


def let_another_rule_in(account: Account, part: functions.FunctionPermission, path: Path) -> None:
    """Take our statement out of the function's policy, and put somebody else's in."""
    client = account.raw("lambda")
    client.remove_permission(FunctionName=part.function.name, StatementId=path[1])
    client.add_permission(
        FunctionName=part.function.name,
        StatementId="theirs",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )


def reserve_more(account: Account, part: functions.FunctionConcurrency, _path: Path) -> int:
    """Reserve five in place of one."""
    account.raw("lambda").put_function_concurrency(
        FunctionName=part.function.name, ReservedConcurrentExecutions=5
    )
    return 5


def keep_longer(account: Account, group: logs.LogGroup, _path: Path) -> int:
    """Keep the log for five years."""
    account.raw("logs").put_retention_policy(logGroupName=group.name, retentionInDays=1827)
    return 1827


RULE: dict[str, Any] = {
    "schedule": {"ScheduleExpression": "rate(1 day)"},
    "state": {"State": "DISABLED"},
    "description": {"Description": "edited by hand"},
    "event_pattern": {"EventPattern": '{"source":["aws.ec2"]}'},
}


def change_rule(account: Account, rule: events.ScheduleRule, path: Path) -> object:
    """Change one thing of the rule."""
    present = {
        "ScheduleExpression": rule.schedule,
        "State": "ENABLED",
        "Description": rule.description,
    }
    account.raw("events").put_rule(Name=rule.name, **{**present, **RULE[path[0]]})
    (value,) = RULE[path[0]].values()
    return value


def aim_elsewhere(account: Account, target: events.RuleTarget, path: Path) -> str:
    """Let the rule call another function in place of ours."""
    targets = [{"Id": path[1], "Arn": OTHER_FUNCTION}]
    account.raw("events").put_targets(Rule=target.rule.name, Targets=targets)
    return OTHER_FUNCTION


def change_topic_policy(account: Account, topic: sns.Topic, path: Path) -> str:
    """Turn one statement of the topic's policy round."""
    client, arn = account.raw("sns"), topic.arn(account.aws)
    document = json.loads(client.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    text, effect = differently(document, path[1])
    client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)
    return effect


ALARM: dict[str, tuple[str, Any, object]] = {
    "namespace": ("Namespace", "AWS/EC2", "AWS/EC2"),
    "metric": ("MetricName", "Throttles", "Throttles"),
    "dimensions": ("Dimensions", [{"Name": "FunctionName", "Value": "another"}], "another"),
    "statistic": ("Statistic", "Average", "Average"),
    "comparison": ("ComparisonOperator", "GreaterThanThreshold", "GreaterThanThreshold"),
    "threshold": ("Threshold", 99.0, 99.0),
    "period_seconds": ("Period", 3600, 3600),
    "periods": ("EvaluationPeriods", 9, 9),
    "missing": ("TreatMissingData", "ignore", "ignore"),
    "actions_enabled": ("ActionsEnabled", False, False),
    "alarm_actions": ("AlarmActions", [OTHER_TOPIC], [OTHER_TOPIC]),
    "ok_actions": ("OKActions", [], []),
    "description": ("AlarmDescription", "edited by hand", "edited by hand"),
}


def change_alarm(account: Account, alarm: alarms.FunctionAlarm, path: Path) -> object:
    """Change one thing of the alarm."""
    client = account.raw("cloudwatch")
    found = client.describe_alarms(AlarmNames=[alarm.name])["MetricAlarms"][0]
    taken = client.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    element, value, before = ALARM[path[0]]
    kept = {name: found[name] for name in found if name in taken}
    client.put_metric_alarm(**{**kept, element: value})
    return before


def change_tag(service: str, parameter: str, *, pairs: bool) -> Act:
    """Return how to change a tag, or to take away the one that says whose the thing is."""
    keys = "tagKeys" if service == "logs" else "TagKeys"

    def act(account: Account, resource: Any, path: Path) -> str | None:
        client, name = account.raw(service), {parameter: resource.arn(account.aws)}
        if path[1] == "ZiggieOrigin":
            client.untag_resource(**name, **{keys: [path[1]]})
            return None
        tags = [{"Key": path[1], "Value": "0.0.1"}] if pairs else {path[1]: "0.0.1"}
        client.tag_resource(**name, **{"tags" if service == "logs" else "Tags": tags})
        return "0.0.1"

    return act


TABLE: dict[type[Resource], Table] = {
    logs.LogGroup: {
        "retention_days": Tampering(keep_longer, ("logs:PutRetentionPolicy",)),
        "tags.*": Tampering(change_tag("logs", "resourceArn", pairs=False), ("logs:TagResource",)),
    },
    functions.Function: {
        "runtime": configure(Runtime="python3.12"),
        "handler": configure(Handler="lambda_function.lambda_handler"),
        "role": configure(Role=OTHER_ROLE),
        "timeout_seconds": configure(Timeout=3),
        "memory_mb": configure(MemorySize=1024),
        "description": configure(Description="edited by hand"),
        "tracing": configure(TracingConfig={"Mode": "Active"}),
        "architecture": Tampering(move_to_arm, ("lambda:UpdateFunctionCode",)),
        "code_sha256": Tampering(upload, ("lambda:UpdateFunctionCode",)),
        "tags.*": Tampering(change_tag("lambda", "Resource", pairs=False), ("lambda:TagResource",)),
    },
    functions.FunctionEnvironment: {
        "variables.*": Tampering(change_variable, ("lambda:UpdateFunctionConfiguration",))
    },
    functions.FunctionPermission: {"statements.*": Tampering(let_another_rule_in, ("lambda:AddPermission",))},
    functions.FunctionConcurrency: {"reserved": Tampering(reserve_more, ("lambda:PutFunctionConcurrency",))},
    events.ScheduleRule: {
        **{name: Tampering(change_rule, ("events:PutRule",)) for name in RULE},
        "tags.*": Tampering(change_tag("events", "ResourceARN", pairs=True), ("events:TagResource",)),
    },
    events.RuleTarget: {"targets.*.Arn": Tampering(aim_elsewhere, ("events:PutTargets",))},
    sns.Topic: {
        "statements.*": Tampering(change_topic_policy, ("sns:SetTopicAttributes",)),
        "tags.*": Tampering(change_tag("sns", "ResourceArn", pairs=True), ("sns:TagResource",)),
    },
    sns.EmailSubscription: {},
    alarms.FunctionAlarm: {
        **{
            f"{name}.*" if name == "dimensions" else name: Tampering(
                change_alarm, ("cloudwatch:PutMetricAlarm",)
            )
            for name in ALARM
        },
        "tags.*": Tampering(change_tag("cloudwatch", "ResourceARN", pairs=True), ("cloudwatch:TagResource",)),
    },
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    events.RuleTarget: {"targets.*.Id": "a target of another id is another target"},
    sns.EmailSubscription: {
        "protocol": "another protocol is another subscription",
        "endpoint": "another address is another subscription",
    },
}
