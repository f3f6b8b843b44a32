"""The plan's AWS CLI commands as data, in the plan's order, and the files that they name.

A command is as the plan has it, but for what must differ to be run at all: placeholders are filled in
(``<account>``, and ids that an earlier command answered), secrets are dummies, line ends and quotes are
those of no particular shell. Some tasks the plan only names, or gives a JSON file for and no command: for
these stands the command that does it, with ``written=False``. A task that only a console can do, or a
program, has none.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from ziggie_nb.packaging import zipped
from ziggie_nb.project import ROOT

GATE = 9
"""The number under which the gate's commands and the budget's run: after phase 7.5.7."""


@dataclass(frozen=True)
class Command:
    """A command of the plan.

    Attributes:
        task: the plan's number, ``gate`` or ``costs``.
        line: the command, without ``aws``, with POSIX quotes.
        written: whether the plan writes it out.
        keeps: the name under which a value of its answer is kept for later commands.
        at: where in the answer that value is.
    """

    task: str
    line: str
    written: bool = True
    keeps: str = ""
    at: tuple[str | int, ...] = ()

    @property
    def phase(self) -> int:
        """The phase it belongs to: 3 for task 7.5.3.1."""
        return int(self.task.split(".")[2]) if self.task.startswith("7.5.") else GATE

    def words(self, values: dict[str, str]) -> list[str]:
        """Return the arguments of ``aws``, with every ``<name>`` replaced; what is not known stays."""
        words = shlex.split(self.line)
        for name, value in values.items():
            words = [word.replace(f"<{name}>", value) for word in words]
        return words


def _named(task: str, line: str, keeps: str = "", at: tuple[str | int, ...] = ()) -> Command:
    """Return a command for a task that the plan names without writing one out."""
    return Command(task, line, written=False, keeps=keeps, at=at)


USER, ROLE, BUCKET = "ziggie", "ziggie-lambda", "ziggie-assets-prod"
FUNCTION, RULE, TOPIC = "ziggie-gpu-auto-shutdown", "ziggie-gpu-idle-check", "ziggie-alerts"
POLICY = "arn:aws:iam::<account>:policy"
LAMBDA_LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
VPS = "82.25.112.73/32"
IMAGE = "ami-0123456789abcdef0"
CLAUDE = "anthropic.claude-3-sonnet-20240229-v1:0"

COMMANDS = (
    Command("7.5.1.1", "--version"),
    Command("7.5.1.2", "sts get-caller-identity"),
    Command("7.5.1.3", "configure get region"),
    _named("7.5.2.1", f"iam create-user --user-name {USER}"),
    _named("7.5.2.2", "iam create-policy --policy-name ziggie-s3 --policy-document file://s3.json"),
    _named("7.5.2.3", "iam create-policy --policy-name ziggie-secrets --policy-document file://secrets.json"),
    _named("7.5.2.4", "iam create-policy --policy-name ziggie-ec2 --policy-document file://ec2.json"),
    _named("7.5.2.5", f"iam create-role --role-name {ROLE} --assume-role-policy-document file://trust.json"),
    _named("7.5.2.5", f"iam attach-role-policy --role-name {ROLE} --policy-arn {LAMBDA_LOGS}"),
    _named("7.5.2.6", f"iam attach-user-policy --user-name {USER} --policy-arn {POLICY}/ziggie-s3"),
    _named("7.5.2.6", f"iam attach-user-policy --user-name {USER} --policy-arn {POLICY}/ziggie-secrets"),
    _named("7.5.2.6", f"iam attach-user-policy --user-name {USER} --policy-arn {POLICY}/ziggie-ec2"),
    Command("7.5.3.1", f"s3 mb s3://{BUCKET} --region eu-north-1"),
    Command(
        "7.5.3.2",
        f"s3api put-bucket-versioning --bucket {BUCKET} --versioning-configuration Status=Enabled",
    ),
    Command("7.5.3.1", f"s3api put-object --bucket {BUCKET} --key game-assets/"),
    Command("7.5.3.1", f"s3api put-object --bucket {BUCKET} --key generated/"),
    Command("7.5.3.1", f"s3api put-object --bucket {BUCKET} --key backups/"),
    Command(
        "7.5.3.3",
        f"s3api put-bucket-lifecycle-configuration --bucket {BUCKET} "
        "--lifecycle-configuration file://lifecycle.json",
    ),
    _named("7.5.3.6", f"s3api put-bucket-cors --bucket {BUCKET} --cors-configuration file://cors.json"),
    _named(
        "7.5.3.5",
        f"cloudfront create-distribution --origin-domain-name {BUCKET}.s3.eu-north-1.amazonaws.com",
    ),
    Command(
        "7.5.4.2",
        "secretsmanager create-secret --name ziggie/api-keys/anthropic "
        """--description "Anthropic Claude API Key" --secret-string '{"api_key":"dummy"}'""",
    ),
    Command(
        "7.5.4.3",
        "secretsmanager create-secret --name ziggie/api-keys/openai "
        """--description "OpenAI API Key" --secret-string '{"api_key":"dummy"}'""",
    ),
    Command(
        "7.5.4.4",
        "secretsmanager create-secret --name ziggie/database/postgres "
        """--description "PostgreSQL credentials" --secret-string '{"username":"admin","""
        """"password":"dummy","host":"db.ziggie.cloud","port":"5432"}'""",
    ),
    _named(
        "7.5.5.1",
        f"lambda create-function --function-name {FUNCTION} --runtime python3.13 --timeout 60 "
        f"--role arn:aws:iam::<account>:role/{ROLE} --handler lambda_function.lambda_handler "
        "--zip-file fileb://lambda_function.zip",
    ),
    Command(
        "7.5.5.2", f'events put-rule --name {RULE} --schedule-expression "rate(5 minutes)" --state ENABLED'
    ),
    Command(
        "7.5.5.2",
        f'events put-targets --rule {RULE} --targets "Id"="1",'
        f'"Arn"="arn:aws:lambda:eu-north-1:<account>:function:{FUNCTION}"',
    ),
    _named("7.5.5.4", f"sns create-topic --name {TOPIC}"),
    _named(
        "7.5.5.5",
        f"ec2 run-instances --image-id {IMAGE} --instance-type t3.micro --count 1 --tag-specifications "
        "'ResourceType=instance,Tags=[{Key=Project,Value=Ziggie},{Key=Type,Value=GPU}]'",
        "instance",
        ("Instances", 0, "InstanceId"),
    ),
    _named("7.5.5.5", f"lambda invoke --function-name {FUNCTION} checked.json"),
    _named("7.5.5.5", "ec2 terminate-instances --instance-ids <instance>"),
    Command(
        "7.5.6.3",
        "ec2 create-security-group --group-name ziggie-gpu-sg "
        '--description "Ziggie GPU instance security group"',
        keeps="security-group",
        at=("GroupId",),
    ),
    Command(
        "7.5.6.3",
        "ec2 authorize-security-group-ingress --group-name ziggie-gpu-sg "
        f"--protocol tcp --port 22 --cidr {VPS}",
    ),
    Command(
        "7.5.6.3",
        "ec2 authorize-security-group-ingress --group-name ziggie-gpu-sg "
        f"--protocol tcp --port 8188 --cidr {VPS}",
    ),
    _named("7.5.6.4", "ec2 create-key-pair --key-name ziggie-gpu-key"),
    _named("7.5.6.1", "ec2 create-launch-template --cli-input-json file://launch-template.json"),
    Command(
        "7.5.6.5",
        'ec2 request-spot-instances --spot-price "0.20" --instance-count 1 --type "one-time" '
        "--launch-specification file://spot-spec.json",
    ),
    _named("7.5.6.5", "ec2 describe-spot-instance-requests"),
    _named(
        "7.5.7.4",
        f"bedrock-runtime invoke-model --model-id {CLAUDE} --body file://question.json answer.json",
    ),
    Command("gate", "--version"),
    Command("gate", "sts get-caller-identity"),
    Command("gate", "s3 ls"),
    Command(
        "gate",
        "secretsmanager list-secrets --query \"SecretList[?contains(Name, 'ziggie')].Name\" --output text",
    ),
    Command(
        "gate",
        "lambda list-functions --query \"Functions[?contains(FunctionName, 'ziggie')].FunctionName\" "
        "--output text",
    ),
    Command("gate", "ec2 describe-launch-templates"),
    Command(
        "costs",
        "budgets create-budget --account-id <account> --budget file://budget.json "
        "--notifications-with-subscribers file://notifications.json",
    ),
)


def _policy(*statements: object, version: str = "2012-10-17") -> dict[str, object]:
    return {"Version": version, "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resource: object, **more: object) -> dict[str, object]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, **more}


_DISK = {
    "DeviceName": "/dev/sda1",
    "Ebs": {"VolumeSize": 100, "VolumeType": "gp3", "DeleteOnTermination": True},
}
_INSTANCE = {
    "ImageId": IMAGE,
    "InstanceType": "g4dn.xlarge",
    "KeyName": "ziggie-gpu-key",
    "SecurityGroupIds": ["<security-group>"],
    "BlockDeviceMappings": [_DISK],
}
_TAGS = [
    {"Key": "Project", "Value": "Ziggie"},
    {"Key": "Type", "Value": "GPU"},
    {"Key": "Name", "Value": "Ziggie-ComfyUI-Spot"},
]
_START_COMFYUI = (
    "IyEvYmluL2Jhc2gKIyBTdGFydCBDb21meVVJIG9uIGJvb3QKY2QgL29wdC9jb21meXVpCnB5dGhvbiBtYWluLnB5IC0tbGlz"
    "dGVuIDAuMC4wLjAgJg=="
)

DOCUMENTS: dict[str, object] = {
    "s3.json": _policy(
        _allow(
            "ZiggieS3Access",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
            ["arn:aws:s3:::ziggie-assets-*", "arn:aws:s3:::ziggie-assets-*/*"],
        )
    ),
    "secrets.json": _policy(
        _allow(
            "ZiggieSecretsAccess",
            ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "arn:aws:secretsmanager:eu-north-1:*:secret:ziggie/*",
        )
    ),
    "ec2.json": _policy(
        _allow(
            "ZiggieEC2Control",
            ["ec2:StartInstances", "ec2:StopInstances", "ec2:DescribeInstances"],
            "*",
            Condition={"StringEquals": {"ec2:ResourceTag/Project": "Ziggie"}},
        )
    ),
    "trust.json": _policy(
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ),
    "lifecycle.json": {
        "Rules": [
            {
                "ID": "MoveToGlacierAfter90Days",
                "Status": "Enabled",
                "Filter": {"Prefix": "backups/"},
                "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
            },
            {
                "ID": "IntelligentTieringForAssets",
                "Status": "Enabled",
                "Filter": {"Prefix": "game-assets/"},
                "Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}],
            },
        ]
    },
    "cors.json": {
        "CORSRules": [
            {
                "AllowedHeaders": ["*"],
                "AllowedMethods": ["GET", "HEAD"],
                "AllowedOrigins": ["https://ziggie.cloud", "http://localhost:*"],
                "ExposeHeaders": ["ETag"],
                "MaxAgeSeconds": 3600,
            }
        ]
    },
    "launch-template.json": {
        "LaunchTemplateName": "ziggie-gpu-spot",
        "LaunchTemplateData": {
            **_INSTANCE,
            "TagSpecifications": [{"ResourceType": "instance", "Tags": _TAGS}],
            "UserData": _START_COMFYUI,
        },
    },
    # The plan names this file and does not have it; it is its launch template's instance.
    "spot-spec.json": {**_INSTANCE, "UserData": _START_COMFYUI},
    "question.json": {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Explain game asset pipelines"}],
    },
    "budget.json": {
        "BudgetName": "Ziggie-Monthly",
        "BudgetLimit": {"Amount": "100", "Unit": "USD"},
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
    },
    "notifications.json": [
        {
            "Notification": {
                "NotificationType": "ACTUAL",
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": 80,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": "your-email@example.com"}],
        }
    ],
}
"""The JSON files that the commands name; ``<name>`` in them is filled in like in a command."""


def files(values: dict[str, str]) -> dict[str, bytes]:
    """Return every file that the commands name, by its name, with what is known by now filled in."""
    texts = {name: json.dumps(document, indent=4) for name, document in DOCUMENTS.items()}
    for name, value in values.items():
        texts = {file: text.replace(f"<{name}>", value) for file, text in texts.items()}
    code = (ROOT / "tests" / "functions" / "plans_handler.py").read_bytes()
    made = {name: text.encode() for name, text in texts.items()}
    return {**made, "lambda_function.zip": zipped({"lambda_function.py": code})}
