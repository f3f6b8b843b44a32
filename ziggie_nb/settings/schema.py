"""Every parameter of the runbook: its name, kind, default and what it is for.

One section per phase, named like the phase's notebook. The defaults are the plan's own values; a comment or
description says where the runbook departs from the plan. Nothing here reads files or speaks to AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from ziggie_nb.errors import UsageError, nearest

from . import aws_values as aws
from .values import (
    BOOLEAN,
    DATE,
    FILE,
    PORT,
    PRIVATE_FILE,
    TEXT,
    Kind,
    list_of,
    number,
    optional,
    shown,
    whole_number,
)

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

SANDBOX = "sandbox"
SANDBOX_ACCOUNT = "123456789012"
ENVIRONMENT = "environment"
"""What the settings above all sections count as, where a section's name is asked for."""

PLACEHOLDER_IMAGE = "ami-0123456789abcdef0"
PLACEHOLDER_EMAIL = "your-email@example.com"

A_CENTURY = 36_500
DAYS = whole_number(0, A_CENTURY, "days")
DAYS_FROM_ONE = whole_number(1, A_CENTURY, "days")
GIGABYTES = number(0, 10_000_000, "GB")
COUNT = whole_number(0, 10**12)

Conflict = tuple[tuple[str, str], str]
"""Section and name of a parameter, and the rest of the sentence that says what it clashes with."""


class Section(BaseModel):
    """The parameters of one phase; immutable, unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Gate6(Section):
    """Who declares the plan's prerequisite "Gate 6 passed", and since when."""

    passed_by: Annotated[str, TEXT] = Field(description="Who saw Gate 6 pass")
    passed_on: Annotated[date, DATE] = Field(description="The day it passed")


class Account(Section):
    """Phase 01, 7.5.1: account verification."""

    gate_6: Gate6 | None = Field(
        default=None,
        description="Declares the plan's prerequisite, Gate 6 passed: by whom and when",
    )


class Iam(Section):
    """Phase 02, 7.5.2: user, roles, policies."""

    user: Annotated[str, aws.IAM_NAME] = Field(
        default="ziggie", description="IAM user of the applications on the VPS"
    )
    lambda_role: Annotated[str, aws.IAM_NAME] = Field(
        default="ziggie-lambda", description="Role of the auto-shutdown function"
    )
    gpu_role: Annotated[str, aws.IAM_NAME] = Field(
        default="ziggie-gpu", description="Role of the GPU instances, and the name of their instance profile"
    )
    create_access_key: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Make an access key for the user, if it has none"
    )
    access_key_file: Annotated[Path | None, optional(PRIVATE_FILE)] = Field(
        default=None,
        description="File that a new access key is written to, readable by you alone; null: one in your home",
    )
    access_key_max_age_days: Annotated[int, whole_number(1, 3650, "days")] = Field(
        default=90, description="Age in days after which the gate asks for a new access key"
    )
    source_cidrs: Annotated[tuple[str, ...], list_of(aws.CIDR)] = Field(
        default=(),
        description="Networks the user's calls must come from; empty: from anywhere. "
        "A desk that uses the same user and is not listed is locked out",
    )
    permissions_boundary_arn: Annotated[str | None, optional(aws.POLICY_ARN)] = Field(
        default=None, description="Permissions boundary of the user and the roles; null: none"
    )


class S3Assets(Section):
    """Phase 03, 7.5.3: bucket and delivery."""

    bucket: Annotated[str, aws.BUCKET_NAME] = Field(
        default="ziggie-assets-prod", description="The assets' bucket; the name is unique in the whole world"
    )
    prefixes: Annotated[tuple[str, ...], list_of(aws.S3_PREFIX)] = Field(
        default=("game-assets/", "generated/", "backups/"), description="Folders made in the bucket"
    )
    glacier_after_days: Annotated[int, DAYS] = Field(
        default=90, description="Age in days at which backups/ moves to Glacier"
    )
    intelligent_tiering_after_days: Annotated[int, DAYS] = Field(
        default=0, description="Age in days at which game-assets/ moves to Intelligent-Tiering"
    )
    generated_intelligent_tiering_after_days: Annotated[int, DAYS] = Field(
        default=30, description="Age in days at which generated/ moves to Intelligent-Tiering"
    )
    noncurrent_expire_after_days: Annotated[int, DAYS_FROM_ONE] = Field(
        default=90, description="Days after which a replaced or deleted version is removed for good"
    )
    noncurrent_versions_kept: Annotated[int, whole_number(0, 100)] = Field(
        default=3, description="Replaced versions of an object that are kept however old they are"
    )
    abort_multipart_after_days: Annotated[int, DAYS_FROM_ONE] = Field(
        default=7, description="Days after which an unfinished upload is thrown away"
    )
    archive_after_days: Annotated[int | None, optional(whole_number(90, 730, "days"))] = Field(
        default=None,
        description="Days without access after which Intelligent-Tiering archives archive_prefix, "
        "to be restored before it can be read; null: never",
    )
    archive_prefix: Annotated[str, aws.S3_PREFIX] = Field(
        default="backups/", description="What is archived; nothing that the CDN serves"
    )
    cors_origins: Annotated[tuple[str, ...], list_of(aws.CORS_ORIGIN, at_least=1)] = Field(
        default=("https://ziggie.cloud",), description="Web pages that may read the assets in a browser"
    )
    cors_max_age_seconds: Annotated[int, whole_number(0, 86_400, "seconds")] = Field(
        default=3600, description="Seconds a browser remembers that it may"
    )
    cdn_prefixes: Annotated[tuple[str, ...], list_of(aws.S3_PREFIX, at_least=1)] = Field(
        default=("game-assets/", "generated/"), description="Folders that CloudFront may read and serve"
    )
    cdn_price_class: Annotated[str, aws.PRICE_CLASS] = Field(
        default="PriceClass_100", description="Where CloudFront serves from; 100 is North America and Europe"
    )
    expected_storage_gb: Annotated[float, GIGABYTES] = Field(
        default=250.0, description="GB stored, for the estimate only"
    )
    expected_delivery_gb: Annotated[float, GIGABYTES] = Field(
        default=100.0, description="GB delivered a month, for the estimate only"
    )


class Secrets(Section):
    """Phase 04, 7.5.4: names of secrets, never their values."""

    anthropic: Annotated[str, aws.SECRET_NAME] = Field(
        default="ziggie/api-keys/anthropic", description="Name of the secret with the Anthropic API key"
    )
    openai: Annotated[str, aws.SECRET_NAME] = Field(
        default="ziggie/api-keys/openai", description="Name of the secret with the OpenAI API key"
    )
    postgres: Annotated[str, aws.SECRET_NAME] = Field(
        default="ziggie/database/postgres", description="Name of the secret with the database's login"
    )
    kms_key_arn: Annotated[str | None, optional(aws.KMS_KEY)] = Field(
        default=None, description="KMS key that encrypts the secrets; null: the account's own, which is free"
    )
    rotation_days: Annotated[int, whole_number(1, 1000, "days")] = Field(
        default=90, description="Age in days at which a secret is to be rotated"
    )
    recovery_window_days: Annotated[int, whole_number(7, 30, "days")] = Field(
        default=30, description="Days in which a deleted secret can be restored"
    )
    postgres_admin: Annotated[str | None, optional(aws.SECRET_NAME)] = Field(
        default="ziggie/database/postgres-admin",
        description="Name of the secret with a login that may make database users; without that secret "
        "the database's rotation is manual",
    )
    rotation_function: Annotated[bool, BOOLEAN] = Field(
        default=False,
        description="Let a Lambda function rotate the database's login, in place of `ziggie secrets rotate`; "
        "it must reach the database",
    )
    env_file: Annotated[Path | None, optional(FILE)] = Field(
        default=Path(".env"),
        description="The .env file that values are taken from and that references stand in; null: none",
    )


class GpuAutoShutdown(Section):
    """Phase 05, 7.5.5: what stops an idle GPU instance."""

    function: Annotated[str, aws.FUNCTION_NAME] = Field(
        default="ziggie-gpu-auto-shutdown", description="Lambda function that stops idle GPU instances"
    )
    rule: Annotated[str, aws.RULE_NAME] = Field(
        default="ziggie-gpu-idle-check", description="EventBridge rule that calls it"
    )
    topic: Annotated[str, aws.TOPIC_NAME] = Field(
        default="ziggie-alerts", description="SNS topic of its notices"
    )
    schedule: Annotated[str, aws.SCHEDULE] = Field(
        default="rate(5 minutes)", description="How often it looks; times are UTC"
    )
    idle_minutes: Annotated[int, whole_number(5, 1440, "minutes")] = Field(
        default=15, description="Minutes an instance must have been idle without a break"
    )
    cpu_percent: Annotated[float, number(0.1, 100, "percent")] = Field(
        default=5.0, description="Average CPU use in percent from which an instance is busy"
    )
    gpu_percent: Annotated[float, number(0.1, 100, "percent")] = Field(
        default=5.0, description="Highest GPU use in percent from which an instance is busy"
    )
    network_bytes: Annotated[int, whole_number(1, 10**12, "bytes")] = Field(
        default=100_000, description="Bytes in and out within five minutes from which an instance is busy"
    )
    queue_length: Annotated[int, whole_number(1, 1_000_000, "jobs")] = Field(
        default=1, description="Jobs in ComfyUI's queue from which an instance is busy"
    )
    required_signals: Annotated[tuple[str, ...], list_of(aws.SIGNAL, at_least=1)] = Field(
        default=("cpu", "network"),
        description="Signals without which an instance is never judged idle: cpu, network, gpu, queue",
    )
    grace_minutes: Annotated[int, whole_number(0, 1440, "minutes")] = Field(
        default=15, description="Minutes after its start in which an instance is left alone"
    )
    delay_cycles: Annotated[int, whole_number(0, 100)] = Field(
        default=1, description="Runs between the notice and the deed; 0: at once"
    )
    maximum_age_hours: Annotated[int | None, optional(whole_number(1, 8760, "hours"))] = Field(
        default=24, description="Hours after which what never reported any metric is ended; null: never"
    )
    stopped_days: Annotated[int | None, optional(whole_number(1, 3650, "days"))] = Field(
        default=14, description="Days after which a stopped instance is reported; null: never"
    )
    remind_hours: Annotated[int, whole_number(1, 8760, "hours")] = Field(
        default=24, description="Hours after which a report that still holds is sent again"
    )
    terminate_one_time: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Whether an idle one-time Spot instance, which cannot stop, is terminated"
    )
    terminate_stopped: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Whether what has been stopped for stopped_days is terminated"
    )
    dry_run: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Whether it only looks and logs: nothing stopped, nobody told"
    )
    log_retention_days: Annotated[int, aws.LOG_RETENTION] = Field(
        default=30, description="Days for which its log is kept"
    )


class GpuSpot(Section):
    """Phase 06, 7.5.6: the GPU instance."""

    launch_template: Annotated[str, aws.TEMPLATE_NAME] = Field(
        default="ziggie-gpu-spot", description="Launch template of the GPU instances"
    )
    instance_name: Annotated[str, aws.TAG_VALUE] = Field(
        default="Ziggie-ComfyUI-Spot", description="Name tag of the instances"
    )
    security_group: Annotated[str, aws.SECURITY_GROUP_NAME] = Field(
        default="ziggie-gpu-sg", description="Security group of the instances"
    )
    key_pair: Annotated[str, aws.KEY_PAIR_NAME] = Field(
        default="ziggie-gpu-key", description="Key pair for SSH"
    )
    instance_type: Annotated[str, aws.INSTANCE_TYPE] = Field(
        default="g4dn.xlarge", description="EC2 instance type"
    )
    image: Annotated[str, aws.IMAGE] = Field(
        default=PLACEHOLDER_IMAGE,
        description="AMI id, or the path of an SSM parameter that holds one; the default is a placeholder",
    )
    volume_gb: Annotated[int, whole_number(8, 16_384, "GB")] = Field(
        default=100, description="Size of the root volume in GB; never less than the image's"
    )
    maximum_price_usd_per_hour: Annotated[float | None, optional(number(0.001, 100, "dollars"))] = Field(
        default=0.20,
        description="Most that is paid for an hour of Spot, in US dollars; null: the on-demand price, as AWS "
        "advises",
    )
    spot_type: Annotated[str, aws.SPOT_TYPE] = Field(
        default="one-time",
        description="one-time: an interrupted instance ends, and none can be stopped; persistent: both stop, "
        "and start again",
    )
    vpc_id: Annotated[str | None, optional(aws.VPC_ID)] = Field(
        default=None, description="VPC of the instances; null: the region's default VPC"
    )
    zones: Annotated[tuple[str, ...], list_of(aws.ZONE)] = Field(
        default=(), description="Zones that may be tried, in this order; empty: all, the cheapest first"
    )
    private_key_file: Annotated[Path | None, optional(PRIVATE_FILE)] = Field(
        default=None,
        description="File of the key pair's private half, readable by you alone; null: one in your home",
    )
    source_cidrs: Annotated[tuple[str, ...], list_of(aws.CIDR)] = Field(
        default=("82.25.112.73/32",),
        description="Networks that reach SSH and ComfyUI; empty: none, only the tunnel of ziggie gpu open",
    )
    ssh_port: Annotated[int, PORT] = Field(default=22, description="Port of SSH")
    comfyui_port: Annotated[int, PORT] = Field(default=8188, description="Port of ComfyUI")


class Bedrock(Section):
    """Phase 07, 7.5.7: language models (optional)."""

    enabled: Annotated[bool, BOOLEAN] = Field(default=True, description="Whether the phase is wanted at all")
    model: Annotated[str, aws.MODEL_ID] = Field(
        default="anthropic.claude-3-sonnet-20240229-v1:0",
        description="Model, inference profile, or family such as claude sonnet; the default is the plan's: "
        "AWS has retired it, and its successor is asked",
    )
    max_tokens: Annotated[int, whole_number(1, 1_000_000, "tokens")] = Field(
        default=4096, description="Longest answer in tokens"
    )


class CostMonitoring(Section):
    """Phase 08: budget and alerts."""

    budget: Annotated[str, aws.BUDGET_NAME] = Field(default="Ziggie-Monthly", description="The budget")
    limit_usd: Annotated[float, number(1, 1_000_000, "dollars")] = Field(
        default=100.0, description="Budget of a month in US dollars"
    )
    alert_email: Annotated[str, aws.EMAIL] = Field(
        default=PLACEHOLDER_EMAIL, description="Who is told; the default is the plan's placeholder"
    )
    actual_percents: Annotated[tuple[int, ...], aws.alerts_at(at_least=1)] = Field(
        default=(50, 80, 100), description="Percents of the budget that are told of once they are spent"
    )
    forecast_percents: Annotated[tuple[int, ...], aws.alerts_at()] = Field(
        default=(100,),
        description="Percents of the budget that are told of once AWS expects the month to end above them; "
        "empty: none",
    )


class CostReport(Section):
    """Report 11: what the estimate assumes of a month; nothing is built from it.

    Stored and delivered GB stand in `s3_assets`, since phase 03 shows them too.
    """

    gpu_hours: Annotated[float, number(0, 744, "hours")] = Field(
        default=100.0,
        description="Hours a month that the GPU instance runs; the default is what the plan's lowest $20 buy "
        "at its $0.20 an hour",
    )
    gpu_download_gb: Annotated[float, GIGABYTES] = Field(
        default=10.0, description="GB a month that leave the GPU instance for the internet"
    )
    snapshots_gb: Annotated[float, GIGABYTES] = Field(
        default=0.0, description="GB of snapshots kept, such as those of your own image"
    )
    stored_objects: Annotated[int, COUNT] = Field(
        default=50_000, description="Objects in the bucket that Intelligent-Tiering watches"
    )
    uploads: Annotated[int, COUNT] = Field(
        default=10_000, description="Objects written to the bucket a month"
    )
    downloads: Annotated[int, COUNT] = Field(default=1_000_000, description="Objects delivered a month")
    secret_reads: Annotated[int, COUNT] = Field(
        default=10_000, description="Calls to Secrets Manager a month"
    )
    logs_gb: Annotated[float, GIGABYTES] = Field(
        default=1.0, description="GB of logs written a month, by the functions and the GPU instance"
    )
    mails: Annotated[int, COUNT] = Field(default=100, description="Mails a month from the topic of notices")
    bedrock_input_tokens: Annotated[int, COUNT] = Field(
        default=3_000_000, description="Tokens a month that are sent to language models"
    )
    bedrock_output_tokens: Annotated[int, COUNT] = Field(
        default=1_000_000, description="Tokens a month that language models answer with"
    )


class Integration(Section):
    """Phase 09: what other programs read."""

    mcp_file: Annotated[Path | None, optional(FILE)] = Field(
        default=Path(".mcp.json"), description="MCP configuration that the servers are added to; null: none"
    )


@dataclass(frozen=True)
class Placeholder:
    """A value of the plan that stands for one its owner has to give.

    Attributes:
        section: the parameter's section.
        name: its name there.
        advice: what to put in its place, as a sentence.
        used_by: other sections whose phases use it too.
    """

    section: str
    name: str
    advice: str
    used_by: tuple[str, ...] = ()


PLACEHOLDERS = (
    (
        Placeholder("account", "gate_6", "Declare who saw Gate 6 pass, and when (passed_by and passed_on)."),
        None,
    ),
    (
        Placeholder(
            "gpu_spot", "image", "Give the id of your ComfyUI image, or the path of an SSM parameter."
        ),
        PLACEHOLDER_IMAGE,
    ),
    (
        Placeholder(
            "cost_monitoring",
            "alert_email",
            "Give the address of whoever watches the costs.",
            used_by=("gpu_auto_shutdown",),
        ),
        PLACEHOLDER_EMAIL,
    ),
)


@dataclass(frozen=True)
class Parameter:
    """A parameter as a person reads about it.

    Attributes:
        name: its name, the same in YAML, in papermill and in a notebook.
        type: what kind of value it takes, in words.
        description: what it is for, with its unit.
        default: its value where nothing else is said; None for `required` ones.
        required: whether every environment must give it.
    """

    name: str
    type: str
    description: str
    default: object
    required: bool


class Environment(Section):
    """One environment's parameters in force; `load` makes it, and nothing changes it afterwards."""

    production: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Whether real users depend on it; then nothing of a desk is let in"
    )
    account_id: Annotated[str, aws.ACCOUNT_ID] = Field(
        description="AWS account that everything is built in; the runbook stops in any other"
    )
    region: Annotated[str, aws.REGION] = Field(description="AWS region that everything is built in")
    endpoint_url: Annotated[str | None, optional(aws.ENDPOINT)] = Field(
        default=None, description="An AWS-compatible endpoint to use in place of AWS; null: AWS"
    )
    allow_secrets_to_endpoint: Annotated[bool, BOOLEAN] = Field(
        default=False, description="Whether secret values may be sent to an endpoint that is not AWS's"
    )
    account: Account = Account()
    iam: Iam = Iam()
    s3_assets: S3Assets = S3Assets()
    secrets: Secrets = Secrets()
    gpu_auto_shutdown: GpuAutoShutdown = GpuAutoShutdown()
    gpu_spot: GpuSpot = GpuSpot()
    bedrock: Bedrock = Bedrock()
    cost_monitoring: CostMonitoring = CostMonitoring()
    integration: Integration = Integration()
    cost_report: CostReport = CostReport()

    # Not fields, so that no YAML file can set them and no digest of the parameters depends on them.
    _name: str = PrivateAttr(default="")
    _sources: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)

    @classmethod
    def named(cls, name: str, values: dict[str, Any], sources: dict[tuple[str, str], str]) -> Self:
        """Validate values and make the environment called `name`.

        Args:
            name: the environment's name.
            values: the settings above the sections, and the sections as mappings.
            sources: where each value that was given comes from, by section and name.

        Raises:
            pydantic.ValidationError: for invalid values; `load` turns it into sentences.
        """
        environment = cls.model_validate(values)
        environment._name = name  # noqa: SLF001 (our own)
        environment._sources = sources  # noqa: SLF001 (our own)
        return environment

    @property
    def name(self) -> str:
        """Name of the environment: the stem of its file."""
        return self._name

    @property
    def is_sandbox(self) -> bool:
        """Whether this is the embedded sandbox, which never leaves this machine."""
        return self._name == SANDBOX

    def section(self, name: str) -> Section:
        """Return the section called `name`.

        Raises:
            UsageError: for an unknown section.
        """
        return self if name == ENVIRONMENT else getattr(self, known_section(name))

    def source_of(self, section: str, name: str) -> str:
        """Tell where a parameter's value comes from: a file, ``parameters cell`` or ``default``."""
        known_parameter(section, name)
        return self._sources.get((section, name), "default")

    def placeholders(self, sections: Iterable[str] | None = None) -> list[Placeholder]:
        """List the plan's placeholders still in force in these sections; without an argument, in all.

        They load and plan; whoever applies a phase outside the sandbox has to refuse them.
        """
        wanted = SECTIONS if sections is None else {known_section(name) for name in sections}
        return [
            placeholder
            for placeholder, value in PLACEHOLDERS
            if {placeholder.section, *placeholder.used_by} & set(wanted)
            and getattr(self.section(placeholder.section), placeholder.name) == value
        ]

    def conflicts(self) -> Iterator[Conflict]:
        """Yield what is wrong between parameters that are each valid by themselves."""
        if self.is_sandbox:
            yield from self._sandbox_conflicts()
        yield from self._account_conflicts()
        yield from self._delivery_conflicts()
        yield from self._gpu_conflicts()

    def _sandbox_conflicts(self) -> Iterator[Conflict]:
        where = "in the sandbox, which never leaves this machine. Make another environment for this"
        if self.account_id != SANDBOX_ACCOUNT:
            rule = f'must be "{SANDBOX_ACCOUNT}" {where}'
            yield (ENVIRONMENT, "account_id"), f"is {shown(self.account_id)}, but {rule}."
        if self.endpoint_url is not None:
            yield (ENVIRONMENT, "endpoint_url"), f"is {shown(self.endpoint_url)}, but must be null {where}."
        if self.production:
            yield (ENVIRONMENT, "production"), f"is true, but must be false {where}."

    def _account_conflicts(self) -> Iterator[Conflict]:
        bucket, ending = self.s3_assets.bucket, f"-{self.account_id}-{self.region}-an"
        if bucket.endswith("-an") and not bucket.endswith(ending):
            rule = f"a name that ends with -an belongs to the account and must end with {ending}"
            yield ("s3_assets", "bucket"), f"is {shown(bucket)}, but {rule}."
        boundary = (self.iam.permissions_boundary_arn or "").split(":")
        if len(boundary) > 1 and boundary[4] not in ("aws", self.account_id):
            rule = f"must be a policy of AWS or of this environment's account, {self.account_id}"
            yield (
                ("iam", "permissions_boundary_arn"),
                f"is {shown(self.iam.permissions_boundary_arn)}, but {rule}.",
            )
        key = (self.secrets.kms_key_arn or "").split(":")
        if len(key) > 1 and key[3] != self.region:
            rule = f"must be a key of this environment's region, {self.region}"
            yield ("secrets", "kms_key_arn"), f"is {shown(self.secrets.kms_key_arn)}, but {rule}."
        if self.secrets.rotation_function and self.secrets.postgres_admin is None:
            rule = "needs secrets.postgres_admin: the login with which the function makes database users"
            yield ("secrets", "rotation_function"), f"is true, but {rule}."

    def _delivery_conflicts(self) -> Iterator[Conflict]:
        assets = self.s3_assets
        for served in assets.cdn_prefixes:
            if not served.startswith(assets.prefixes):
                rule = f"lies in none of the bucket's prefixes ({', '.join(assets.prefixes)})"
                yield ("s3_assets", "cdn_prefixes"), f"has {shown(served)}, but it {rule}."
            if served.startswith(assets.archive_prefix) or assets.archive_prefix.startswith(served):
                rule = f"the CDN serves {shown(served)} (cdn_prefixes) and cannot read what is archived"
                yield ("s3_assets", "archive_prefix"), f"is {shown(assets.archive_prefix)}, but {rule}."
        for origin in filter(aws.is_local, assets.cors_origins if self.production else ()):
            rule = "a production environment lets no page of somebody's own machine in. Take it out"
            yield ("s3_assets", "cors_origins"), f"has {shown(origin)}, but {rule}."

    def _gpu_conflicts(self) -> Iterator[Conflict]:
        for zone in self.gpu_spot.zones:
            if zone[:-1] != self.region:
                rule = f"that is no zone of this environment's region, {self.region}"
                yield ("gpu_spot", "zones"), f"has {shown(zone)}, but {rule}."


SECTIONS = tuple(
    name for name, field in Environment.model_fields.items() if isinstance(field.default, Section)
)


def fields(section: str) -> dict[str, FieldInfo]:
    """Return the fields of a section, or those above all sections for `ENVIRONMENT`.

    Raises:
        UsageError: for an unknown section.
    """
    if section == ENVIRONMENT:
        return {name: field for name, field in Environment.model_fields.items() if name not in SECTIONS}
    default: Section = Environment.model_fields[known_section(section)].default
    return type(default).model_fields


def known_section(name: str) -> str:
    """Return the name of a section, or raise UsageError with the nearest one."""
    if name not in SECTIONS:
        raise UsageError(f"{shown(name)} is not a section of the parameters.{nearest(str(name), SECTIONS)}")
    return name


def known_parameter(section: str, name: str) -> str:
    """Return the name of a parameter, or raise UsageError with the nearest one."""
    if name not in fields(section):
        raise UsageError(f"{section}.{name} is not a parameter.{nearest(str(name), fields(section))}")
    return name


def parameters(section: str) -> list[Parameter]:
    """List the parameters of a section in the schema's order, as notebooks and ``ziggie params`` show them.

    Raises:
        UsageError: for an unknown section.
    """
    return [
        Parameter(
            name=name,
            type=_in_words(field),
            description=field.description or "",
            default=None if field.is_required() else field.default,
            required=field.is_required(),
        )
        for name, field in fields(section).items()
    ]


def _in_words(field: FieldInfo) -> str:
    """Say what a field takes; the one field without a kind is the declaration of Gate 6."""
    kinds = [item.words for item in field.metadata if isinstance(item, Kind)]
    return kinds[0] if kinds else f"a mapping of {' and '.join(Gate6.model_fields)}, or null"
