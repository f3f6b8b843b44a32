"""The source plan as data: its number, its phases, and the tasks that the report ticks off.

Titles are the plan's own words. Its budget and its MCP servers stand there without numbers; the runbook
gave them 08 and 09, and so to each thing in them.
"""

from __future__ import annotations

from dataclasses import dataclass

ID = "ZIGGIE-AWS-INTEGRATION-V1.0"
VERSION = "1.0"
CREATED = "2025-12-24"


@dataclass(frozen=True)
class PlanTask:
    """A task: ``7.5.1.1``, and what the plan calls it."""

    id: str
    title: str


@dataclass(frozen=True)
class PlanPhase:
    """A phase of the plan.

    Attributes:
        id: ``7.5.1``; ``08`` and ``09`` are the runbook's, where the plan gives no number.
        title: as the plan calls it.
        tasks: in the plan's order.
        numbered: whether the numbers are the plan's own.
    """

    id: str
    title: str
    tasks: tuple[PlanTask, ...]
    numbered: bool = True


def _phase(phase: str, title: str, *tasks: str, numbered: bool = True) -> PlanPhase:
    """Number the tasks of a phase in their order."""
    found = tuple(PlanTask(f"{phase}.{number}", task) for number, task in enumerate(tasks, start=1))
    return PlanPhase(phase, title, found, numbered)


PHASES = (
    _phase(
        "7.5.1",
        "AWS Account Verification",
        "Verify AWS CLI installed",
        "Verify AWS credentials",
        "Verify region configured",
        "Check account ID",
    ),
    _phase(
        "7.5.2",
        "IAM Setup",
        "Create Ziggie IAM user",
        "Create S3 policy",
        "Create Secrets policy",
        "Create EC2 policy",
        "Create Lambda role",
        "Attach policies to user",
    ),
    _phase(
        "7.5.3",
        "S3 Asset Storage Setup",
        "Create assets bucket",
        "Enable versioning",
        "Configure lifecycle",
        "Enable Intelligent-Tiering",
        "Create CloudFront distribution",
        "Configure CORS",
    ),
    _phase(
        "7.5.4",
        "Secrets Manager Setup",
        "Create secrets namespace",
        "Migrate Anthropic API key",
        "Migrate OpenAI API key",
        "Migrate database credentials",
        "Create rotation schedule",
        "Update .env to use AWS",
    ),
    _phase(
        "7.5.5",
        "Lambda Auto-Shutdown Setup",
        "Create Lambda function",
        "Create CloudWatch rule",
        "Configure idle threshold",
        "Create SNS notification",
        "Test with dummy instance",
    ),
    _phase(
        "7.5.6",
        "EC2 Spot Instance Configuration",
        "Create launch template",
        "Configure Spot request",
        "Create security group",
        "Create key pair",
        "Test Spot request",
    ),
    _phase(
        "7.5.7",
        "Bedrock LLM Integration (Optional)",
        "Enable Bedrock access",
        "Configure Claude access",
        "Create Bedrock wrapper",
        "Test API call",
    ),
    _phase(
        "08",
        "Cost Monitoring: Budget Alerts Setup",
        "Budget",
        "Notifications",
        "Cost allocation tag",
        numbered=False,
    ),
    _phase("09", "MCP Configuration for AWS", "aws-s3", "aws-secrets", numbered=False),
)

TASKS = tuple(task for phase in PHASES if phase.numbered for task in phase.tasks)
"""The plan's own 36."""
