"""Structure of the policy documents, their sizes, the operator's policy, and the normal form."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziggie_nb import policies
from ziggie_nb.policies import Document, Statement, document, statements_by_sid

ACCOUNT = "123456789012"
REGION = "eu-north-1"
BUCKET = "ziggie-assets-prod"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
SECRETS = ["ziggie/api-keys/anthropic", "ziggie/api-keys/openai", "ziggie/database/postgres"]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
DISTRIBUTION = f"arn:aws:cloudfront::{ACCOUNT}:distribution/E2ABCDEFGHIJKL"

MANAGED = {
    "ziggie-s3-access": policies.s3_access(bucket=BUCKET, account_id=ACCOUNT),
    "ziggie-secrets-access": policies.secrets_access(
        account_id=ACCOUNT, region=REGION, names=SECRETS, kms_key_arn=KEY
    ),
    "ziggie-ec2-control": policies.ec2_control(
        account_id=ACCOUNT, region=REGION, gpu_role="ziggie-gpu", instance_types=["g4dn.xlarge"]
    ),
    "ziggie-lambda-execution": policies.lambda_execution(
        account_id=ACCOUNT, region=REGION, function="ziggie-gpu-auto-shutdown", topic="ziggie-alerts"
    ),
    "ziggie-bedrock-invoke": policies.bedrock_invoke(account_id=ACCOUNT, region=REGION),
}
GPU = policies.gpu_instance(bucket=BUCKET, account_id=ACCOUNT, region=REGION)
GUARD = policies.source_address_guard(cidrs=["82.25.112.73/32", "10.0.0.0/8"])
BUCKET_POLICY: Document = {
    "Version": "2012-10-17",
    "Statement": [
        policies.tls_only(bucket=BUCKET),
        policies.cloudfront_read(
            bucket=BUCKET, prefixes=["generated/", "game-assets/"], distribution_arn=DISTRIBUTION
        ),
    ],
}
DOCUMENTS = {
    **MANAGED,
    "gpu_instance": GPU,
    "guard": GUARD,
    "bucket policy": BUCKET_POLICY,
    "trust lambda": policies.trust(service="lambda.amazonaws.com", account_id=ACCOUNT),
    "trust ec2": policies.trust(service="ec2.amazonaws.com", account_id=ACCOUNT),
}
GRANTING = {**MANAGED, "gpu_instance": GPU}

each_document = pytest.mark.parametrize("name", DOCUMENTS)
each_granting = pytest.mark.parametrize("name", GRANTING)


def statements(policy: Document) -> dict[str, Statement]:
    """Return the statements in normal form, by Sid."""
    return statements_by_sid(policy)


def granting(policy: Document, action: str) -> list[Statement]:
    """Return the statements that name this action."""
    return [statement for statement in statements(policy).values() if action in statement["Action"]]


def grants(*documents: Document) -> set[tuple[str, str, str]]:
    """Return every (action, resource, condition) the documents allow."""
    return {
        (action, resource, json.dumps(statement.get("Condition"), sort_keys=True))
        for policy in documents
        for statement in statements(policy).values()
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


# --- Rules for all -----------------------------------------------------------------------------------


@each_document
def test_every_statement_has_a_unique_alphanumeric_sid_of_ours(name: str) -> None:
    """IAM takes letters and digits only; the prefix tells our statements from others'."""
    sids = [statement["Sid"] for statement in DOCUMENTS[name]["Statement"]]
    assert all(sid.startswith("Ziggie") and sid.isascii() and sid.isalnum() for sid in sids)
    assert len(set(sids)) == len(sids)


@each_document
def test_document_is_of_the_present_policy_language(name: str) -> None:
    """Without this version, policy variables and some operators mean something else."""
    assert DOCUMENTS[name]["Version"] == "2012-10-17"


@each_granting
def test_no_granted_action_is_a_wildcard(name: str) -> None:
    """Each action is written out, so that a new one of AWS is not granted unread."""
    assert not [action for action, *_ in grants(GRANTING[name]) if "*" in action or "?" in action]


@each_granting
def test_describe_and_list_of_ec2_stand_alone_without_condition(name: str) -> None:
    """Under a tag condition AWS denies them always."""
    for statement in statements(GRANTING[name]).values():
        if any(action.startswith("ec2:Describe") for action in statement["Action"]):
            assert statement["Resource"] == ["*"]
            assert "Condition" not in statement


@each_granting
def test_every_arn_names_our_account_and_region(name: str) -> None:
    """Only what AWS puts into no account or no region is without them; models lie in many regions."""
    without_region, without_account = {"s3", "iam"}, {"s3", "image", "foundation-model"}
    for _, resource, _ in grants(GRANTING[name]):
        if resource == "*":
            continue
        _, partition, service, region, account, rest = resource.split(":", 5)
        kind = rest.split("/")[0]
        many_regions = kind == "foundation-model" and region == "*"
        assert partition == "aws"
        assert many_regions or region == ("" if service in without_region else REGION)
        assert account == ("" if {service, kind} & without_account else ACCOUNT)


@each_granting
def test_what_has_no_resource_stands_on_everything_and_nothing_else_does(name: str) -> None:
    """Writing actions never have the resource "*", but for metrics, which are held to a namespace."""
    open_writes = {
        action
        for action, resource, _ in grants(GRANTING[name])
        if resource == "*" and not action.split(":")[1].startswith(("Describe", "List", "Get"))
    }
    assert open_writes <= {"cloudwatch:PutMetricData", "secretsmanager:BatchGetSecretValue"}


def test_managed_policies_are_exactly_five() -> None:
    """The gate counts them."""
    assert tuple(MANAGED) == policies.MANAGED_POLICY_NAMES


# --- Sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MANAGED)
def test_managed_policy_fits_its_limit(name: str) -> None:
    """6144 characters."""
    assert policies.size(MANAGED[name]) <= policies.MANAGED_POLICY_LIMIT == 6144


def test_inline_policies_fit_their_limits() -> None:
    """10240 characters for all of a role's, 2048 for all of a user's."""
    assert policies.size(GPU) <= policies.ROLE_INLINE_LIMIT == 10240
    assert policies.size(GUARD) <= policies.USER_INLINE_LIMIT == 2048


def test_size_does_not_count_white_space() -> None:
    """As IAM counts."""
    assert policies.size({"Version": "x", "Statement": []}) == len('{"Version":"x","Statement":[]}')


# --- S3 ----------------------------------------------------------------------------------------------


def test_s3_actions_are_split_between_bucket_and_objects() -> None:
    """Each statement has the ARN that its actions look at, of this bucket only."""
    listed = statements(MANAGED["ziggie-s3-access"])
    assert listed["ZiggieListBucket"]["Resource"] == [BUCKET_ARN]
    assert listed["ZiggieUseObjects"]["Resource"] == [f"{BUCKET_ARN}/*"]
    assert listed["ZiggieListBucket"]["Action"] == [
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
    ]
    assert {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"} < set(
        listed["ZiggieUseObjects"]["Action"]
    )


@pytest.mark.parametrize("policy", [MANAGED["ziggie-s3-access"], GPU], ids=["user", "instance"])
def test_s3_is_reached_in_our_account_only(policy: Document) -> None:
    """A stranger's bucket of the same name gets nothing."""
    found = [s for s in statements(policy).values() if s["Action"][0].startswith("s3:")]
    assert found
    assert all(s["Condition"]["StringEquals"]["aws:ResourceAccount"] == [ACCOUNT] for s in found)


def test_applications_cannot_destroy_versions() -> None:
    """Versioning brings back what an application deletes."""
    assert not [action for action, *_ in grants(MANAGED["ziggie-s3-access"]) if "Version" in action]


def test_instance_writes_generated_only_and_reads_no_backups() -> None:
    """The box that runs ComfyUI cannot alter the sources it works from."""
    written = {resource for action, resource, _ in grants(GPU) if action == "s3:PutObject"}
    read = {resource for action, resource, _ in grants(GPU) if action == "s3:GetObject"}
    assert written == {f"{BUCKET_ARN}/generated/*"}
    assert read == {f"{BUCKET_ARN}/game-assets/*", f"{BUCKET_ARN}/models/*"}


def test_instance_lists_no_other_prefix() -> None:
    """Names under backups/ stay unseen."""
    (statement,) = granting(GPU, "s3:ListBucket")
    assert statement["Condition"]["StringLike"]["s3:prefix"] == ["game-assets/*", "generated/*", "models/*"]


def test_instance_metrics_are_held_to_a_namespace() -> None:
    """PutMetricData takes no resource; the agent and the queue's heartbeat have a namespace each."""
    (statement,) = granting(GPU, "cloudwatch:PutMetricData")
    assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": ["CWAgent", "Ziggie/ComfyUI"]}}


def test_instance_logs_go_to_our_groups() -> None:
    """Groups under /ziggie/."""
    (statement,) = granting(GPU, "logs:PutLogEvents")
    assert statement["Resource"] == [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ziggie/*"]


# --- Secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "reached"),
    [
        ("ziggie/database/postgres-AbC123", True),
        ("ziggie/database/postgres-admin-AbC123", False),
        ("ziggie/api-keys/other-AbC123", False),
    ],
)
def test_secret_is_reached_by_its_whole_name(secret: str, reached: bool) -> None:  # noqa: FBT001
    """A secret whose name only begins alike is another one."""
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret}"
    (statement,) = granting(MANAGED["ziggie-secrets-access"], "secretsmanager:GetSecretValue")
    assert any(fnmatchcase(arn, pattern) for pattern in statement["Resource"]) is reached


def test_key_is_granted_only_when_one_is_given_and_only_through_secrets_manager() -> None:
    """The AWS managed key needs no grant."""
    without = policies.secrets_access(account_id=ACCOUNT, region=REGION, names=SECRETS)
    (statement,) = granting(MANAGED["ziggie-secrets-access"], "kms:Decrypt")
    assert not granting(without, "kms:Decrypt")
    assert statement["Resource"] == [KEY]
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": [f"secretsmanager.{REGION}.amazonaws.com"]}
    }


# --- EC2 ---------------------------------------------------------------------------------------------

CONTROL = ("ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:RebootInstances")


@pytest.mark.parametrize("name", ["ziggie-ec2-control", "ziggie-lambda-execution"])
def test_instances_and_spot_requests_are_controlled_by_our_tag(name: str) -> None:
    """Nobody else's instance can be stopped, ended or cancelled."""
    found = [
        statement
        for action in (*CONTROL, "ec2:CancelSpotInstanceRequests")
        for statement in granting(MANAGED[name], action)
    ]
    assert found
    assert all(s["Condition"]["StringEquals"]["aws:ResourceTag/Project"] == ["Ziggie"] for s in found)


def test_instances_are_launched_from_a_template_of_ours_only() -> None:
    """Each part of a launch is held to a template, and the template to our tag."""
    found = statements(MANAGED["ziggie-ec2-control"])
    template = f"arn:aws:ec2:{REGION}:{ACCOUNT}:launch-template/*"
    launch = {sid: s for sid, s in found.items() if s["Action"] == ["ec2:RunInstances"]}
    of_template = launch.pop("ZiggieLaunchTemplate")
    spot_request = launch.pop("ZiggieLaunchSpotRequest")
    assert of_template["Resource"] == [template]
    assert of_template["Condition"] == {"StringEquals": {"aws:ResourceTag/Project": ["Ziggie"]}}
    assert spot_request["Resource"] == [f"arn:aws:ec2:{REGION}:{ACCOUNT}:spot-instances-request/*"]
    assert set(launch) == {"ZiggieLaunchInstance", "ZiggieLaunchParts", "ZiggieLaunchPlace"}
    assert all(s["Condition"]["ArnLike"] == {"ec2:LaunchTemplate": [template]} for s in launch.values())


def test_a_request_cannot_replace_what_the_template_says_but_for_the_subnet() -> None:
    """Image, key pair, security group, volume and instance are the template's."""
    free = {
        resource.split(":")[5].split("/")[0]
        for statement in granting(MANAGED["ziggie-ec2-control"], "ec2:RunInstances")
        for resource in statement["Resource"]
        if statement.get("Condition", {}).get("Bool") != {"ec2:IsLaunchTemplateResource": ["true"]}
    }
    assert free == {"launch-template", "network-interface", "spot-instances-request", "subnet"}


def test_instance_types_are_limited_when_given() -> None:
    """Otherwise a request may name a larger type than the template's."""
    without = policies.ec2_control(account_id=ACCOUNT, region=REGION, gpu_role="ziggie-gpu")
    limited = statements(MANAGED["ziggie-ec2-control"])["ZiggieLaunchInstance"]["Condition"]
    unlimited = statements(without)["ZiggieLaunchInstance"]["Condition"]
    assert limited.pop("StringEquals") == {"ec2:InstanceType": ["g4dn.xlarge"]}
    assert limited == unlimited


@pytest.mark.parametrize("name", ["ziggie-ec2-control", "ziggie-lambda-execution"])
def test_no_tag_can_be_set_that_would_make_a_foreign_instance_ours(name: str) -> None:
    """Tags are set while something is made, or one harmless key on what is ours already."""
    found = granting(MANAGED[name], "ec2:CreateTags")
    assert found
    for statement in found:
        condition = statement["Condition"]
        equals = condition["StringEquals"]
        at_launch = equals.get("ec2:CreateAction") == ["RunInstances"]
        keys = condition.get("ForAllValues:StringEquals", {}).get("aws:TagKeys", [])
        one_harmless_key = (
            equals.get("aws:ResourceTag/Project") == ["Ziggie"]
            and keys in (["KeepUntil"], ["idle-since", "ziggie:end-announced", "ziggie:reported"])
            and condition["Null"] == {"aws:TagKeys": ["false"]}
        )
        assert at_launch or one_harmless_key


def test_what_a_launch_makes_must_be_tagged_as_ours() -> None:
    """Otherwise the same user could not stop it again."""
    statement = statements(MANAGED["ziggie-ec2-control"])["ZiggieTagAtLaunch"]
    assert statement["Condition"]["StringEquals"]["aws:RequestTag/Project"] == ["Ziggie"]
    kinds = [resource.split(":")[5] for resource in statement["Resource"]]
    assert kinds == ["instance/*", "network-interface/*", "spot-instances-request/*", "volume/*"]


def test_only_the_gpu_role_is_passed_and_only_to_ec2() -> None:
    """PassRole without both would hand any role of the account to an instance."""
    (statement,) = granting(MANAGED["ziggie-ec2-control"], "iam:PassRole")
    assert statement["Resource"] == [f"arn:aws:iam::{ACCOUNT}:role/ziggie-gpu"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com"]}}


def test_nothing_is_granted_on_an_id() -> None:
    """Ids are made by later phases; tags are known before."""
    names = [r.rsplit("/", 1)[-1] for _, r, _ in grants(MANAGED["ziggie-ec2-control"]) if ":ec2:" in r]
    assert names
    assert set(names) == {"*"}


# --- Lambda ------------------------------------------------------------------------------------------


def test_function_may_do_its_work_and_nothing_else() -> None:
    """The whole list; one more action is a decision."""
    assert {action for action, *_ in grants(MANAGED["ziggie-lambda-execution"])} == {
        "cloudwatch:GetMetricData",
        "ec2:CancelSpotInstanceRequests",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "ec2:DescribeInstances",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:StopInstances",
        "ec2:TerminateInstances",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
    }


def test_function_logs_to_its_own_group_and_tells_its_own_topic() -> None:
    """Not to another function's group."""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/ziggie-gpu-auto-shutdown"
    reached = {r for a, r, _ in grants(MANAGED["ziggie-lambda-execution"]) if a.startswith("logs:")}
    told = {r for a, r, _ in grants(MANAGED["ziggie-lambda-execution"]) if a == "sns:Publish"}
    assert all(resource == group or resource.startswith(f"{group}:") for resource in reached)
    assert told == {f"arn:aws:sns:{REGION}:{ACCOUNT}:ziggie-alerts"}


def test_function_touches_gpu_instances_only() -> None:
    """Other instances of the project are left alone."""
    for action in ("ec2:StopInstances", "ec2:TerminateInstances", "ec2:CreateTags", "ec2:DeleteTags"):
        (statement,) = granting(MANAGED["ziggie-lambda-execution"], action)
        assert statement["Condition"]["StringEquals"]["aws:ResourceTag/Type"] == ["GPU"]


# --- Bedrock -----------------------------------------------------------------------------------------


def test_models_are_reached_through_the_geographys_profile_only() -> None:
    """In every destination region, but never past the profile."""
    profile = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.anthropic.*"
    found = {s["Sid"]: s for s in granting(MANAGED["ziggie-bedrock-invoke"], "bedrock:InvokeModel")}
    model = found.pop("ZiggieInvokeModelThroughProfile")
    assert [s["Resource"] for s in found.values()] == [[profile]]
    assert model["Resource"] == ["arn:aws:bedrock:*::foundation-model/anthropic.*"]
    assert model["Condition"] == {"ArnLike": {"bedrock:InferenceProfileArn": [profile]}}


# --- Trust, guard, bucket ----------------------------------------------------------------------------


def test_lambda_is_trusted_on_behalf_of_our_account_only() -> None:
    """Lambda says for which account it acts."""
    (statement,) = DOCUMENTS["trust lambda"]["Statement"]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_ec2_is_trusted_without_a_condition_that_it_never_meets() -> None:
    """EC2 does not say for which account it acts; instances would get no credentials."""
    (statement,) = DOCUMENTS["trust ec2"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert "Condition" not in statement


def test_guard_denies_all_but_the_known_addresses_and_services_acting_for_them() -> None:
    """Both conditions must hold for the denial."""
    (statement,) = GUARD["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
    assert statement["Condition"] == {
        "NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "82.25.112.73/32"]},
        "Bool": {"aws:ViaAWSService": "false"},
    }


def test_unencrypted_requests_are_denied_to_everybody() -> None:
    """For the bucket and for its objects."""
    statement = policies.tls_only(bucket=BUCKET)
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [BUCKET_ARN, f"{BUCKET_ARN}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_cloudfront_reads_its_prefixes_for_its_own_distribution_only() -> None:
    """Never backups/, and not for somebody else's distribution."""
    statement = BUCKET_POLICY["Statement"][1]
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == [f"{BUCKET_ARN}/game-assets/*", f"{BUCKET_ARN}/generated/*"]
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceArn": DISTRIBUTION}}


# --- The operator ------------------------------------------------------------------------------------

actions = st.sampled_from(["iam:CreateUser", "iam:GetUser", "s3:CreateBucket", "s3:PutBucketCORS"])
resources = st.sampled_from(["*", BUCKET_ARN, f"arn:aws:iam::{ACCOUNT}:user/ziggie"])
conditions = st.sampled_from([None, {"StringEquals": {"aws:ResourceAccount": [ACCOUNT]}}])
some_grants = st.lists(
    st.tuples(
        st.lists(actions, min_size=1).map(tuple), st.lists(resources, min_size=1).map(tuple), conditions
    ),
    min_size=1,
)


@given(some_grants)
def test_operator_is_granted_exactly_what_was_asked_for(asked: list[Any]) -> None:
    """Merging neither adds nor loses an (action, resource, condition)."""
    expected = {
        (action, resource, json.dumps(condition, sort_keys=True))
        for wanted, on, condition in asked
        for action in wanted
        for resource in on
    }
    assert grants(policies.operator(asked)) == expected


@given(some_grants, st.randoms(use_true_random=False))
def test_operator_does_not_depend_on_the_order_of_grants(asked: list[Any], random: Any) -> None:
    """The same needs give the same text."""
    shuffled = list(asked)
    random.shuffle(shuffled)
    assert policies.operator(shuffled) == policies.operator(asked)


def test_operator_merges_actions_that_share_resources_and_resources_that_share_actions() -> None:
    """Two actions on one bucket are one statement; so are two users with the same actions."""
    policy = policies.operator(
        [
            (("s3:PutBucketCORS",), (BUCKET_ARN,)),
            (("s3:GetBucketCORS",), (BUCKET_ARN,)),
            (("iam:GetUser",), ("b",)),
            (("iam:GetUser",), ("a",)),
        ]
    )
    assert policy["Statement"] == [
        {"Sid": "ZiggieOperator01", "Effect": "Allow", "Action": ["iam:GetUser"], "Resource": ["a", "b"]},
        {
            "Sid": "ZiggieOperator02",
            "Effect": "Allow",
            "Action": ["s3:GetBucketCORS", "s3:PutBucketCORS"],
            "Resource": [BUCKET_ARN],
        },
    ]


@given(some_grants, st.integers(min_value=260, max_value=600))
def test_split_keeps_every_grant_and_the_limit(asked: list[Any], limit: int) -> None:
    """Together the parts grant the same, and each fits."""
    whole = policies.operator(asked)
    parts = policies.split(whole, limit)
    assert grants(*parts) == grants(whole)
    assert all(policies.size(part) <= limit for part in parts)
    sids = [statement["Sid"] for part in parts for statement in part["Statement"]]
    assert len(set(sids)) == len(sids)


def test_split_leaves_a_document_that_fits_as_it_is() -> None:
    """No needless second policy."""
    assert policies.split(MANAGED["ziggie-ec2-control"]) == [MANAGED["ziggie-ec2-control"]]


def test_split_does_not_change_the_document_it_was_given() -> None:
    """A pure function."""
    whole = MANAGED["ziggie-ec2-control"]
    before = json.dumps(whole)
    policies.split(whole, 900)
    assert json.dumps(whole) == before


def test_split_says_when_a_statement_cannot_be_divided() -> None:
    """One action on one resource is the smallest there is."""
    whole = policies.operator([(("s3:GetObject",), (f"{BUCKET_ARN}/*",))])
    with pytest.raises(ValueError, match="ZiggieOperator01 alone is larger than 50 characters"):
        policies.split(whole, 50)


# --- The normal form ---------------------------------------------------------------------------------

texts = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), max_size=12)
one_or_many = texts | st.lists(texts, min_size=1, max_size=3)
known_statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": one_or_many, "Resource": one_or_many},
    optional={
        "Sid": st.sampled_from(["ZiggieA", "ZiggieB", "statement 1", "statement 2", ""]),
        "Principal": st.just("*") | st.dictionaries(st.sampled_from(["AWS", "Service"]), one_or_many),
        "Condition": st.dictionaries(texts, st.dictionaries(texts, one_or_many | st.booleans())),
    },
)
known_documents = st.fixed_dictionaries(
    {"Version": st.just("2012-10-17"), "Statement": st.lists(known_statements, max_size=4)}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
odd_statements = st.dictionaries(
    st.sampled_from(["Sid", "Effect", "Action", "Resource", "Principal", "Condition", "Statement"]),
    json_values,
)
odd_documents = json_values | st.fixed_dictionaries(
    {"Statement": odd_statements | st.lists(odd_statements | json_values)}
)


@given(known_documents)
def test_a_document_survives_the_normal_form_and_back(policy: Document) -> None:
    """No statement is lost, and the normal form of the result is the same again."""
    normal = statements_by_sid(policy)
    assert len(normal) == len(policy["Statement"])
    assert list(statements_by_sid(document(normal)).items()) == list(normal.items())


@given(known_documents, st.randoms(use_true_random=False))
def test_order_and_repetition_in_lists_mean_nothing(policy: Document, random: Any) -> None:
    """AWS and people write the same list in any order."""
    shuffled = json.loads(json.dumps(policy))
    for statement in shuffled["Statement"]:
        for element in ("Action", "Resource"):
            if isinstance(statement[element], list):
                statement[element] += statement[element][:1]
                random.shuffle(statement[element])
    assert statements_by_sid(shuffled) == statements_by_sid(policy)


@given(known_documents)
def test_text_and_url_encoded_text_are_read_like_a_dict(policy: Document) -> None:
    """boto3 gives a dict, S3 a text, IAM's API an URL-encoded text."""
    text = json.dumps(policy)
    assert statements_by_sid(text) == statements_by_sid(policy)
    assert statements_by_sid(quote(text, safe="")) == statements_by_sid(policy)


@given(odd_documents)
def test_no_odd_document_makes_the_normal_form_fail(policy: Any) -> None:
    """What strangers wrote is shown, not a stack trace; and nothing that says something is lost."""
    assert statements_by_sid(json.dumps(policy)) == statements_by_sid(policy)
    assert bool(statements_by_sid(policy)) == bool(
        policy.get("Statement") if isinstance(policy, dict) else policy
    )


@given(st.text() | st.binary())
def test_no_text_makes_the_normal_form_fail(text: str | bytes) -> None:
    """Also text that is no JSON."""
    assert isinstance(statements_by_sid(text), dict)


def test_a_string_and_a_list_of_it_are_equal() -> None:
    """In actions, resources, principals and conditions."""
    alone = {
        "Sid": "ZiggieA",
        "Effect": "Allow",
        "Principal": {"AWS": "a"},
        "Action": "s3:GetObject",
        "Resource": "r",
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }
    listed = {
        **alone,
        "Principal": {"AWS": ["a"]},
        "Action": ["s3:GetObject"],
        "Resource": ["r"],
        "Condition": {"Bool": {"aws:SecureTransport": ["false"]}},
    }
    assert statements_by_sid({"Statement": alone}) == {"ZiggieA": listed}


def test_the_principal_of_everybody_stays_a_string() -> None:
    """AWS refuses a list there."""
    assert statements_by_sid(BUCKET_POLICY)["ZiggieTlsOnly"]["Principal"] == "*"


def test_statements_without_or_with_the_same_sid_get_names_of_their_own() -> None:
    """By place, and by number."""
    policy = {"Statement": [{"Effect": "Deny"}, {"Sid": "A"}, {"Sid": "A"}, {"Sid": "statement 1"}]}
    assert list(statements_by_sid(policy)) == ["statement 1", "A", "A #2", "statement 1 #2"]


def test_what_is_no_statement_is_kept_and_shown() -> None:
    """So that it is seen, rather than overwritten unseen."""
    assert statements_by_sid("not JSON") == {"statement 1": {"Unreadable": "not JSON"}}


def test_no_document_has_no_statements() -> None:
    """A bucket without a policy."""
    assert statements_by_sid(None) == statements_by_sid("") == statements_by_sid({}) == {}


@pytest.mark.parametrize("alias", ["alias/ziggie", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/ziggie"])
def test_a_key_named_by_its_alias_is_granted_by_a_condition(alias: str) -> None:
    """A policy's resource cannot be an alias: it would grant nothing, or be refused."""
    made = policies.secrets_access(account_id=ACCOUNT, region=REGION, names=SECRETS, kms_key_arn=alias)
    decrypt = policies.statements_by_sid(made)["ZiggieDecryptSecrets"]
    assert decrypt["Resource"] == [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"]
    assert decrypt["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": ["alias/ziggie"]}
