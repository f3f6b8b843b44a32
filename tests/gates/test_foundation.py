"""Gate 7.5: a built stage passes, each thing broken fails its own criterion, a refusal is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import ResponseParserError

from tests.gates import test_bedrock as of_bedrock
from tests.gates import test_gpu_auto_shutdown as of_shutdown
from tests.plain_client import plain_client
from tests.test_gates import AS_WANTED, Answer, Cloud, at
from ziggie_nb import events, gates, sandbox, settings
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, evaluate
from ziggie_nb.errors import GateFailedError, GateNotEvaluatedError, UsageError
from ziggie_nb.gates import foundation
from ziggie_nb.gates.foundation import CRITERIA, OF_THE_PLAN
from ziggie_nb.notebook import open_foundation
from ziggie_nb.phases import PHASES, find
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.model import OperationModel

    from ziggie_nb.settings import Environment

CHECKS: dict[str, Check] = {check.id.removeprefix("foundation-"): check for check in CRITERIA}
ON_AWS_ONLY = {"bedrock", "cdn-deployed", "subscription"}
LOCAL = {"gate-6"}
BUCKET, FUNCTION, RULE = "ziggie-assets-prod", "ziggie-gpu-auto-shutdown", "ziggie-gpu-idle-check"
TEMPLATE, TOPIC, BUDGET = "ziggie-gpu-spot", "ziggie-alerts", "Ziggie-Monthly"
TOPIC_ARN = f"arn:aws:sns:eu-north-1:{sandbox.ACCOUNT_ID}:{TOPIC}"
POLICY = f"arn:aws:iam::{sandbox.ACCOUNT_ID}:policy/"


@dataclass(frozen=True)
class Stage:
    """The sandbox with the whole stage on it."""

    runbook: Runbook
    url: str

    def raw(self, service: str) -> Any:
        """Return a plain client: how somebody breaks things by hand."""
        return plain_client(self.url, service)

    def verdicts(self, verdict: Verdict) -> dict[str, Finding]:
        """Evaluate the gate, and return the criteria that ended so."""
        found = gates.evaluate_gate("7.5", self.runbook.aws, self.runbook.environment)
        return {
            check.id.removeprefix("foundation-"): finding
            for check, finding in found
            if finding.verdict is verdict
        }

    def look(self, name: str, environment: Environment | None = None) -> Finding:
        """Evaluate one criterion, afresh."""
        return evaluate(CHECKS[name], self.runbook.aws.view(), environment or self.runbook.environment)

    def repair(self, *phases: str) -> None:
        """Let the runbook put these phases right again."""
        for share in self.runbook.plan([find(each) for each in phases]).phases:
            assert not [o.error for o in self.runbook.apply(share, []).outcomes if o.error]


@pytest.fixture(scope="module")
def stage(sandbox_directory: Path) -> Stage:
    """The whole stage, built once; whoever breaks something lets it be repaired."""
    del sandbox_directory
    found = sandbox.reset()
    built = Stage(Runbook.open("sandbox"), found.url)
    built.repair(*(phase.id for phase in PHASES))
    return built


def with_values(environment: Environment, section: str, **values: object) -> Environment:
    """Return an environment with other parameters in one section."""
    changed = getattr(environment, section).model_copy(update=values)
    return environment.model_copy(update={section: changed})


# --- what it asks ------------------------------------------------------------------------------------

# The plan's table of exit criteria: criterion and target.
PLANS = {
    "AWS CLI configured": "✓",
    "IAM policies created": "5 policies",
    "S3 bucket created": "ziggie-assets-prod",
    "Secrets migrated": "3+ secrets",
    "Lambda deployed": "ziggie-gpu-auto-shutdown",
    "Spot template created": "ziggie-gpu-spot",
}


def test_the_plans_criteria_come_first_in_its_own_words() -> None:
    """Whoever holds the plan beside it finds each line, and its target."""
    assert [check.title for check in CRITERIA[: len(PLANS)]] == list(PLANS)
    assert [check.expected.startswith(PLANS[check.title]) for check in OF_THE_PLAN] == [True] * len(PLANS)


def test_every_id_is_the_only_one_of_all_gates_and_every_title_of_this_one() -> None:
    """A row of the record can be told from every other."""
    ids = [check.id for criteria in gates.GATES.values() for check in criteria]
    assert len(set(ids)) == len(ids)
    assert len({check.title for check in CRITERIA}) == len(CRITERIA)


def test_every_criterion_leads_to_the_notebook_of_its_task() -> None:
    """The notebook that mends it is the one of the phase that its task belongs to."""
    notebook_of = {phase.task: f"{phase.notebook}.ipynb" for phase in PHASES}
    for check in CRITERIA:
        parts = check.task.split(".")
        phase = ".".join(parts[:3]) if parts[0] == "7" else parts[0]
        assert check.notebook == notebook_of[phase], check.id


def test_it_needs_no_permission_that_the_phases_gates_do_not_need() -> None:
    """The operator's policy is made of theirs."""
    theirs = {
        each for criteria in gates.CRITERIA.values() for check in criteria for each in check.permissions
    }
    assert {each for check in CRITERIA for each in check.permissions} <= theirs


@pytest.mark.parametrize(
    "name", ["7.5", 7.5, "gate 7.5", "Gate 7.5", "10", 10, "10_gate_foundation", "10_gate_foundation.ipynb"]
)
def test_it_is_known_by_its_number_and_its_notebook(name: object) -> None:
    """Papermill makes numbers of what looks like one."""
    assert foundation.is_meant(name)


@pytest.mark.parametrize("name", ["7.5.3", "1", "01", "gate", "7", "", "11_cost_and_utilisation"])
def test_it_does_not_answer_for_a_phase(name: object) -> None:
    """Nor for what is nothing."""
    assert not foundation.is_meant(name)


# --- a built stage, and an empty account -------------------------------------------------------------


def test_a_built_stage_passes(stage: Stage) -> None:
    """Every criterion with its evidence; what the sandbox cannot prove is skipped, and never passed."""
    passed = stage.verdicts(Verdict.PASS)
    assert set(passed) == set(CHECKS) - ON_AWS_ONLY
    assert all(" → " in line for finding in passed.values() for line in finding.evidence.splitlines())
    skipped = stage.verdicts(Verdict.SKIP)
    assert {name: finding.observed for name, finding in skipped.items()} == dict.fromkeys(
        ON_AWS_ONLY, REAL_AWS_ONLY
    )


def test_it_reads_and_never_writes(stage: Stage) -> None:
    """Its clients are read-only."""
    before = stage.runbook.aws.calls.write
    gates.rows("7.5", stage.runbook.aws, stage.runbook.environment)
    assert stage.runbook.aws.calls.write == before


def test_no_question_is_sent_twice(stage: Stage) -> None:
    """Criteria share what they read, also side by side."""
    runbook, asked = Runbook.open("sandbox"), list[str]()
    intercept(runbook, lambda model, params: asked.append(f"{model.name} {json.dumps(params, default=str)}"))
    gates.evaluate_gate("7.5", runbook.aws, stage.runbook.environment)
    assert asked
    assert len(set(asked)) == len(asked)


def test_rows_name_the_notebook_that_mends_them(stage: Stage) -> None:
    """As they stand in run.json, beside the contract's fields."""
    rows = gates.rows("7.5", stage.runbook.aws, stage.runbook.environment)
    fields = {"id", "task", "title", "expected", "observed", "verdict", "evidence", "wait", "notebook"}
    assert {frozenset(row) for row in rows} == {frozenset(fields)}
    assert {row["notebook"] for row in rows} <= {f"{phase.notebook}.ipynb" for phase in PHASES}


@pytest.mark.usefixtures("sandbox_directory")
def test_in_an_account_without_the_stage_everything_of_it_fails(stage: Stage) -> None:
    """FAIL, not ERROR, though nothing that is looked at is there; who we are is known all the same."""
    names = {
        "iam": {"user": "nobody", "lambda_role": "nobody"},
        "s3_assets": {"bucket": "not-there"},
        "secrets": {"anthropic": "ziggie/none/1", "openai": "ziggie/none/2", "postgres": "ziggie/none/3"},
        "gpu_auto_shutdown": {"function": "not-there", "rule": "not-there", "topic": "not-there"},
        "gpu_spot": {"launch_template": "not-there"},
        "cost_monitoring": {"budget": "Not-There"},
    }
    environment = stage.runbook.environment
    for section, values in names.items():
        environment = with_values(environment, section, **values)
    found = gates.evaluate_gate("7.5", stage.runbook.aws, environment)
    failed = {check.id for check, finding in found if finding.verdict is Verdict.FAIL}
    there = {"foundation-cli", "foundation-gate-6", "foundation-policies"}
    assert {check.id for check, _ in found} - failed - there == {f"foundation-{name}" for name in ON_AWS_ONLY}


# --- its notebook ------------------------------------------------------------------------------------


def test_the_notebook_shows_criteria_and_evidence_and_passes(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner hears of each criterion, as the notebook shows it."""
    del stage
    monkeypatch.setenv(events.FILE_VARIABLE, str(tmp_path / "events.jsonl"))
    gate = open_foundation({"environment": "sandbox"})
    assert repr(gate.header()).startswith("Gate 7.5 AWS foundation operational\nEnvironment  sandbox")
    shown = gate.evaluate().frame
    assert list(shown["Criterion"]) == [check.title for check in CRITERIA]
    assert list(shown["Mended by"]) == [check.notebook for check in CRITERIA]
    evidence = gate.evidence().frame
    assert set(evidence["Criterion"]) == {check.title for check in CRITERIA}
    assert all(evidence["Call"])
    assert all(evidence["Value"])
    assert gate.assert_passed() == "Gate 7.5 has passed."
    (event,) = events.read(tmp_path / "events.jsonl")
    assert (event["event"], event["criteria"]) == ("criteria", gate.criteria)
    assert event["api_calls"]["write"] == 0


def test_the_notebook_of_a_broken_stage_fails_and_names_what_is_broken(stage: Stage) -> None:
    """By title, in the plan's words; before the evaluation nothing has passed either."""
    gate = open_foundation({"environment": "sandbox"})
    with pytest.raises(GateNotEvaluatedError, match=r"Gate 7\.5 has not been evaluated"):
        gate.assert_passed()
    delete_template(stage)
    gate.evaluate()
    stage.repair("06")
    with pytest.raises(GateFailedError, match=r"^Gate 7\.5 has failed: Spot template created\.$"):
        gate.assert_passed()


def test_the_notebook_needs_its_parameters_cell() -> None:
    """One sentence, before any call."""
    with pytest.raises(UsageError, match="environment is not set: run the parameters cell above first"):
        open_foundation({})


# --- broken by hand ----------------------------------------------------------------------------------

Act = Callable[[Stage], object]


def delete_policy(stage: Stage) -> None:
    """Delete one of the five."""
    arn = f"{POLICY}ziggie-bedrock-invoke"
    stage.raw("iam").detach_user_policy(UserName="ziggie", PolicyArn=arn)
    stage.raw("iam").delete_policy(PolicyArn=arn)


def detach(stage: Stage) -> None:
    """Leave a policy there, and attached to nobody."""
    stage.raw("iam").detach_user_policy(UserName="ziggie", PolicyArn=f"{POLICY}ziggie-s3-access")


def detach_from_role(stage: Stage) -> None:
    """Leave the function without its policy."""
    arn = f"{POLICY}ziggie-lambda-execution"
    stage.raw("iam").detach_role_policy(RoleName="ziggie-lambda", PolicyArn=arn)


def delete_bucket(stage: Stage) -> None:
    """Delete the bucket, with all that is in it."""
    client = stage.raw("s3")
    for each in client.list_object_versions(Bucket=BUCKET).get("Versions", []):
        client.delete_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])
    client.delete_bucket(Bucket=BUCKET)


def unblock(stage: Stage) -> None:
    """Switch one of the four switches off."""
    client = stage.raw("s3")
    found = client.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    client.put_public_access_block(
        Bucket=BUCKET, PublicAccessBlockConfiguration={**found, "BlockPublicPolicy": False}
    )


def disable_cdn(stage: Stage) -> None:
    """Switch the distribution off."""
    client = stage.raw("cloudfront")
    (summary,) = client.list_distributions()["DistributionList"]["Items"]
    found = client.get_distribution_config(Id=summary["Id"])
    config = {**found["DistributionConfig"], "Enabled": False}
    client.update_distribution(Id=summary["Id"], IfMatch=found["ETag"], DistributionConfig=config)


def lock_cdn_out(stage: Stage) -> None:
    """Take the bucket's policy away, and with it what the CDN reads by."""
    stage.raw("s3").delete_bucket_policy(Bucket=BUCKET)


def delete_secret(stage: Stage) -> None:
    """Schedule one for deletion."""
    stage.raw("secretsmanager").delete_secret(SecretId="ziggie/api-keys/openai", RecoveryWindowInDays=7)


def upload(stage: Stage) -> None:
    """Upload other code."""
    stage.raw("lambda").update_function_code(FunctionName=FUNCTION, ZipFile=b"PK\x05\x06" + b"\0" * 18)


def delete_template(stage: Stage) -> None:
    """Delete the launch template."""
    stage.raw("ec2").delete_launch_template(LaunchTemplateName=TEMPLATE)


def buy_on_demand(stage: Stage) -> None:
    """Make the template launch at the full price."""
    client = stage.raw("ec2")
    found = client.describe_launch_template_versions(LaunchTemplateName=TEMPLATE, Versions=["$Default"])
    data = dict(found["LaunchTemplateVersions"][0]["LaunchTemplateData"])
    del data["InstanceMarketOptions"]
    made = client.create_launch_template_version(LaunchTemplateName=TEMPLATE, LaunchTemplateData=data)
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    client.modify_launch_template(LaunchTemplateName=TEMPLATE, DefaultVersion=version)


def forbid(stage: Stage) -> None:
    """Take the rule's permission away."""
    stage.raw("lambda").remove_permission(FunctionName=FUNCTION, StatementId="ZiggieSchedule")


def switch_off(stage: Stage) -> None:
    """Switch the rule off."""
    stage.raw("events").disable_rule(Name=RULE)


def unsubscribe(stage: Stage) -> None:
    """End the subscription."""
    client = stage.raw("sns")
    (found,) = client.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    client.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def delete_budget(stage: Stage) -> None:
    """Delete the budget."""
    stage.raw("budgets").delete_budget(AccountId=sandbox.ACCOUNT_ID, BudgetName=BUDGET)


def raise_budget(stage: Stage) -> None:
    """Allow more than the parameters do."""
    limit = {"Amount": "500", "Unit": "USD"}
    budget = {"BudgetName": BUDGET, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    stage.raw("budgets").update_budget(AccountId=sandbox.ACCOUNT_ID, NewBudget=budget)


def silence_budget(stage: Stage) -> None:
    """Delete the alert at 80 %."""
    alert = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    notification = {**alert, "ThresholdType": "PERCENTAGE"}
    stage.raw("budgets").delete_notification(
        AccountId=sandbox.ACCOUNT_ID, BudgetName=BUDGET, Notification=notification
    )


BROKEN: list[tuple[str, Act, str, set[str]]] = [
    ("policies", delete_policy, "4 of 5, without ziggie-bedrock-invoke", {"attached"}),
    ("bucket", delete_bucket, "ziggie-assets-prod: the bucket is not there", {"public-access", "cdn"}),
    ("secrets", delete_secret, "Secret for openai: scheduled for deletion", set()),
    ("function", upload, "Deployed code: other code than this checkout's", set()),
    ("template", delete_template, "launch template ziggie-gpu-spot is not there", set()),
    ("template", buy_on_demand, "Spot request: on demand", set()),
    ("attached", detach, "Policies of the user: without ziggie-s3-access", set()),
    ("attached", detach_from_role, "without ziggie-lambda-execution", set()),
    ("public-access", unblock, "Public access: off: BlockPublicPolicy", set()),
    ("cdn", disable_cdn, "disabled", set()),
    ("cdn", lock_cdn_out, "What the CDN reads: ", {"public-access"}),
    ("schedule", forbid, "permission to call the function is not there", set()),
    ("schedule", switch_off, "Schedule: rate(5 minutes), disabled", set()),
    ("topic", unsubscribe, "Reader of the notices: nobody is told", set()),
    ("budget", delete_budget, "budget Ziggie-Monthly is not there", set()),
    ("budget", raise_budget, "Amount: 500", set()),
    ("budget", silence_budget, "Alerts: 80 % actual is missing", set()),
]
"""What is broken: the criterion, how, what it says, and which others must fail with it."""


@pytest.mark.parametrize(
    ("name", "act", "observed", "also"), BROKEN, ids=[f"{name}: {act.__name__}" for name, act, *_ in BROKEN]
)
def test_what_is_broken_fails_its_own_criterion(
    stage: Stage, name: str, act: Act, observed: str, also: set[str]
) -> None:
    """And no other but those that stand on the same; all pass again once the runbook has mended it."""
    act(stage)
    failed = stage.verdicts(Verdict.FAIL)
    errors = stage.verdicts(Verdict.ERROR)
    stage.repair(str(CHECKS[name].notebook)[:2])
    assert set(failed) == {name} | also
    assert observed in failed[name].observed
    assert not errors
    assert not stage.verdicts(Verdict.FAIL)


def test_another_account_than_the_parameters_fails(stage: Stage) -> None:
    """The guard refuses it before; the gate does not rely on that."""
    elsewhere = stage.runbook.environment.model_copy(update={"account_id": "210987654321"})
    found = stage.look("cli", elsewhere)
    assert (found.verdict, found.observed) == (Verdict.FAIL, "Account: account 123456789012")


def test_the_root_user_fails() -> None:
    """Credentials are configured, and yet nobody should work with them."""
    environment = settings.load("prod")
    root = at(AS_WANTED["GetCallerIdentity"], "Arn", f"arn:aws:iam::{environment.account_id}:root")
    found = on_aws("cli", {"GetCallerIdentity": root})
    assert (found.verdict, found.observed) == (Verdict.FAIL, "Caller: the account's root user")


def test_gate_6_that_nobody_has_declared_fails(stage: Stage) -> None:
    """It is the plan's prerequisite, and no tool can see it."""
    undeclared = with_values(stage.runbook.environment, "account", gate_6=None)
    assert stage.look("gate-6", undeclared).verdict is Verdict.FAIL


def test_an_overdue_secret_fails(stage: Stage) -> None:
    """By its name, and by how much."""
    at_once = with_values(stage.runbook.environment, "secrets", rotation_days=0)
    found = stage.look("rotation", at_once)
    assert found.verdict is Verdict.FAIL
    assert re.search(r"ziggie/api-keys/openai: manual, overdue by \d+ days", found.observed)


def test_bedrock_that_is_switched_off_is_skipped(stage: Stage) -> None:
    """It is optional in the plan; the reason is another than what only AWS can prove."""
    without = with_values(stage.runbook.environment, "bedrock", enabled=False)
    found = stage.look("bedrock", without)
    assert (found.verdict, found.observed) == (Verdict.SKIP, "switched off: bedrock.enabled is false")


def test_every_criterion_has_been_seen_to_fail() -> None:
    """A criterion that cannot fail proves nothing; what only AWS can say is judged below."""
    assert {name for name, *_ in BROKEN} | {"cli", "gate-6", "rotation"} | ON_AWS_ONLY == set(CHECKS)


# --- refused -----------------------------------------------------------------------------------------


def intercept(runbook: Runbook, look: Callable[[OperationModel, dict[str, Any]], object]) -> None:
    """Let ``look`` see every call of a runbook from now on; what it returns stands for AWS's answer."""
    connection = runbook.aws._connection  # noqa: SLF001 - between the runbook and its endpoint
    asked: dict[int, dict[str, Any]] = {}

    def remember(params: dict[str, Any], model: OperationModel, context: Any, **_event: object) -> None:
        del model
        asked[id(context)] = dict(params)

    def answer(model: OperationModel, context: Any, **_event: object) -> Any:
        return look(model, asked.pop(id(context)))

    handlers: dict[str, Any] = {"before-parameter-build": remember, "before-call": answer}
    for event, handler in handlers.items():
        connection.session.register(event, handler)
    connection._clients.clear()  # noqa: SLF001 - clients take over what their session has registered


@dataclass
class Denying:
    """A built stage in which one operation is refused."""

    operation: str | None = None
    asked: set[str] = field(default_factory=set)

    def __call__(self, model: OperationModel, _params: object) -> Any:
        """Refuse that operation, and remember every other."""
        if model.name != self.operation:
            self.asked.add(model.name)
            return None
        error = {"Code": "AccessDenied", "Message": f"not authorized to perform {model.name} on {BUCKET}"}
        answer = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return AWSResponse("https://aws.test", 403, {}, None), answer  # type: ignore[arg-type]


@pytest.fixture
def denying(stage: Stage) -> tuple[Stage, Denying]:
    """The built stage, opened again, and what says which operation is refused."""
    opened, deny = Stage(Runbook.open("sandbox"), stage.url), Denying()
    intercept(opened.runbook, deny)
    return opened, deny


@pytest.mark.parametrize("name", sorted(set(CHECKS) - ON_AWS_ONLY - LOCAL))
def test_a_criterion_is_an_error_when_any_one_of_its_reads_is_denied(
    name: str, denying: tuple[Stage, Denying]
) -> None:
    """Everything else is as wanted; AWS's code is said, and it is never a pass."""
    opened, deny = denying
    assert opened.look(name).verdict is Verdict.PASS
    assert deny.asked
    for operation in sorted(deny.asked):
        deny.operation = operation
        found = opened.look(name)
        assert found.verdict is Verdict.ERROR, operation
        assert "AccessDenied" in found.observed
        assert f"{operation} answered AccessDenied" in found.evidence


def test_an_answer_that_is_none_of_aws_is_an_error(stage: Stage) -> None:
    """A proxy's page, say; the others are evaluated all the same."""
    opened = Stage(Runbook.open("sandbox"), stage.url)

    def page(model: OperationModel, _params: object) -> None:
        if model.name == "DescribeLaunchTemplates":
            raise ResponseParserError("<!doctype html>")

    intercept(opened.runbook, page)
    (found,) = opened.verdicts(Verdict.ERROR).values()
    assert found.observed.endswith("could not be read: the answer is none that AWS gives")
    assert len(opened.verdicts(Verdict.PASS)) == len(CHECKS) - len(ON_AWS_ONLY) - 1


def test_an_error_decides_before_what_has_failed(stage: Stage, denying: tuple[Stage, Denying]) -> None:
    """What could not be read may be worse; both stand in the evidence."""
    opened, deny = denying
    deny.operation = "GetBucketPolicyStatus"
    unblock(stage)
    found = opened.look("public-access")
    stage.repair("03")
    assert found.verdict is Verdict.ERROR
    assert found.observed.startswith("Bucket policy: could not be read: AccessDenied")
    assert "BlockPublicPolicy=False" in found.evidence


# --- what only AWS can say, and what is waited for ---------------------------------------------------


def on_aws(name: str, answers: dict[str, Answer]) -> Finding:
    """Evaluate a criterion on answers written after botocore's models, laid over those as wanted."""
    environment = settings.load("prod", {"cost_monitoring": {"alert_email": of_shutdown.ADDRESS}})
    everything = {**AS_WANTED, **of_bedrock.AS_WANTED, **answers}
    return evaluate(CHECKS[name], Cloud(everything).connect(environment), environment)


def distribution(status: str) -> dict[str, Answer]:
    """Make GetDistribution's answer."""
    return {"GetDistribution": at(AS_WANTED["GetDistribution"], "Distribution.Status", status)}


CONFIRMED = f"{TOPIC_ARN.replace(sandbox.ACCOUNT_ID, '785186659442')}:0a1b"
LATER: list[tuple[str, dict[str, Answer], Verdict, str]] = [
    ("cdn-deployed", distribution("Deployed"), Verdict.PASS, ""),
    ("cdn-deployed", distribution("InProgress"), Verdict.WAIT, "AWS"),
    ("subscription", of_shutdown.subscribed(CONFIRMED), Verdict.PASS, ""),
    (
        "subscription",
        of_shutdown.subscribed("PendingConfirmation"),
        Verdict.WAIT,
        "the reader of cost_monitoring.alert_email",
    ),
    ("subscription", of_shutdown.subscribed("Deleted"), Verdict.FAIL, ""),
    ("bedrock", {}, Verdict.PASS, ""),
    (
        "bedrock",
        {"GetFoundationModelAvailability": of_bedrock.availability("NOT_AVAILABLE")},
        Verdict.WAIT,
        "the account's owner",
    ),
    ("bedrock", {"ListInferenceProfiles": "AccessDeniedException"}, Verdict.ERROR, ""),
    ("subscription", {"ListSubscriptionsByTopic": "AuthorizationError"}, Verdict.ERROR, ""),
    ("cdn-deployed", {"GetDistribution": "AccessDenied"}, Verdict.ERROR, ""),
]


@pytest.mark.parametrize(("name", "answers", "verdict", "who"), LATER)
def test_what_only_aws_can_say_is_judged_there(
    name: str, answers: dict[str, Answer], verdict: Verdict, who: str
) -> None:
    """WAIT names who has to act, where, and how long it usually takes."""
    found = on_aws(name, answers)
    assert found.verdict is verdict, found
    assert (found.wait.who if found.wait else "") == who
    if found.wait:
        assert found.wait.where
        assert found.wait.usually


# --- the plan's script does not hold -----------------------------------------------------------------

# Verify-AWSGate.ps1: when each line prints "[OK]", given what the AWS CLI has said (2>&1: errors too).
PLANS_OK: dict[str, Callable[[str], bool]] = {
    "cli": lambda said: "account" in said.lower(),  # -match does not regard case
    "bucket": lambda said: "ziggie-assets" in said.lower(),
    "secrets": bool,
    "function": bool,
}
REFUSED = (
    "An error occurred (AccessDeniedException) when calling the operation: User: "
    "arn:aws:iam::785186659442:user/ziggie is not authorized to perform it on ziggie-assets-prod; "
    "ask the account's administrator"
)


@pytest.mark.parametrize("name", PLANS_OK)
def test_an_errors_text_that_the_plans_script_takes_for_success_is_an_error_here(name: str) -> None:
    """Each of its lines prints [OK] for this very refusal."""
    assert PLANS_OK[name](REFUSED)
    denied: dict[str, Answer] = dict.fromkeys(
        ["GetCallerIdentity", "HeadBucket", "ListSecrets", "DescribeSecret", "GetFunction"],
        "AccessDeniedException",
    )
    assert on_aws(name, denied).verdict is Verdict.ERROR


def test_what_is_only_called_alike_is_not_taken_for_ours(stage: Stage) -> None:
    """The script looks for a part of a name, and finds anybody's."""
    stage.raw("s3").create_bucket(
        Bucket="ziggie-assets-old", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    listing = " ".join(each["Name"] for each in stage.raw("s3").list_buckets()["Buckets"])
    elsewhere = with_values(stage.runbook.environment, "s3_assets", bucket="ziggie-assets")
    found = stage.look("bucket", elsewhere)
    stage.raw("s3").delete_bucket(Bucket="ziggie-assets-old")
    assert PLANS_OK["bucket"](listing)
    assert found.verdict is Verdict.FAIL
