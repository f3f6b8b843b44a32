"""The assets bucket: what of others survives, and what is refused in plain words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import ANY, Stubber

from ziggie_nb import aws, core
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import CredentialsEndedError, RunbookError
from ziggie_nb.resources import s3

from .conftest import ELSEWHERE, Account, Open, all_options

ACCOUNT_ID = "123456789012"
THEIRS = {
    "ID": "theirs",
    "Status": "Enabled",
    "Filter": {"Prefix": "theirs/"},
    "Expiration": {"Days": 30},
}
PUBLIC_READ = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::ziggie-assets-prod/theirs/*",
}


@pytest.fixture
def bucket(account: Account) -> str:
    """The bucket's name; somebody has made it by hand, without tags."""
    name = account.first(s3.Bucket).name
    account.raw("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"}
    )
    return name


def stubbed(account: Account) -> Stubber:
    """Answer for S3 with recorded answers, which botocore checks against its model of the service."""
    return Stubber(account.aws.writable().client("s3"))


# --- what of others survives -------------------------------------------------------------------------


def test_lifecycle_rule_of_others_survives_put_and_delete(account: Account, bucket: str) -> None:
    """Rules are one document: it is written whole, and theirs is in it before and after."""
    client, rules = account.raw("s3"), account.first(s3.LifecycleRules)
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [THEIRS]})
    account.put(rules)
    found = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule for rule in found if rule["ID"] == "theirs"] == [THEIRS]
    assert {rule["ID"] for rule in found} == {"theirs", *rules.rules}
    account.delete(rules)
    assert client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [THEIRS]


def test_lifecycle_rules_of_the_plans_two_tasks_leave_each_other_alone(account: Account, bucket: str) -> None:
    """Tasks 7.5.3.3 and 7.5.3.4 write to the same document."""
    every = [each for each in account.runbook.resources() if isinstance(each, s3.LifecycleRules)]
    for rules in every:
        account.put(rules)
    account.delete(every[0])
    found = account.raw("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {rule["ID"] for rule in found} == set(every[1].rules)


def test_lifecycle_rule_of_the_old_form_is_written_in_the_new_one(account: Account, bucket: str) -> None:
    """S3 refuses a document with both forms; the rule still means the same."""
    old = {name: value for name, value in THEIRS.items() if name != "Filter"} | {"Prefix": "theirs/"}
    answer = {"Rules": [old]}
    wanted = {"Bucket": bucket, "LifecycleConfiguration": ANY, "ExpectedBucketOwner": ACCOUNT_ID}
    rules, sent = account.first(s3.LifecycleRules), []
    account.aws.writable().client("s3").meta.events.register(
        "provide-client-params.s3.PutBucketLifecycleConfiguration",
        lambda **event: sent.append(event["params"]),
    )
    with stubbed(account) as stub:
        stub.add_response("get_bucket_lifecycle_configuration", answer)
        stub.add_response("put_bucket_lifecycle_configuration", {}, wanted)
        live = rules.read(account.aws.writable())
        assert live is not None
        rules.put(account.aws.writable(), {"rules": live["rules"] | rules.rules}, live)
    forms = {rule["ID"]: rule for rule in sent[0]["LifecycleConfiguration"]["Rules"]}
    assert forms["theirs"] == THEIRS
    assert all("Prefix" not in rule for rule in forms.values())


def test_smallest_size_for_transitions_is_handed_back(account: Account, bucket: str) -> None:
    """S3 would set it back to its default with every write that does not name it."""
    client, size = account.raw("s3"), "varies_by_storage_class"
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [THEIRS]}, TransitionDefaultMinimumObjectSize=size
    )
    account.put(account.first(s3.LifecycleRules))
    found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert found["TransitionDefaultMinimumObjectSize"] == size


def test_cors_rule_without_an_id_survives_put_and_delete(account: Account, bucket: str) -> None:
    """The plan's own command writes one; its place before ours is kept, for S3 takes the first that fits."""
    client, cors = account.raw("s3"), account.first(s3.BucketCors)
    theirs = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://theirs.example"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [theirs]})
    account.put(cors)
    found = client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert found[0] == theirs
    assert [rule.get("ID") for rule in found] == [None, s3.CORS_ID]
    account.delete(cors)
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == [theirs]


def test_policy_statement_without_a_sid_survives_put_and_delete(account: Account, bucket: str) -> None:
    """It still has no Sid afterwards, and ours stands beside it."""
    client, statement = account.raw("s3"), account.first(s3.BucketPolicyStatement)
    text = json.dumps({"Version": "2012-10-17", "Statement": [PUBLIC_READ]})
    client.put_bucket_policy(Bucket=bucket, Policy=text)
    account.put(statement)
    sids = [each.get("Sid") for each in policy_of(client, bucket)]
    assert sids == [None, "ZiggieTlsOnly"]
    account.delete(statement)
    (left,) = policy_of(client, bucket)
    assert left["Principal"] == {"AWS": [PUBLIC_READ["Principal"]["AWS"]]}  # type: ignore[index]
    assert left["Resource"] == [PUBLIC_READ["Resource"]]


def policy_of(client: Any, bucket: str) -> list[dict[str, Any]]:
    """Return the bucket policy's statements."""
    statements: list[dict[str, Any]] = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])[
        "Statement"
    ]
    return statements


def test_tags_of_others_survive_adoption(account: Account, bucket: str) -> None:
    """PutBucketTagging replaces all tags, so theirs are sent as well."""
    client = account.raw("s3")
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "Team", "Value": "art"}]})
    (outcome,) = account.apply(account.first(s3.Bucket))
    assert outcome.change.action is Action.ADOPT
    tags = {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags["Team"] == "art"
    assert tags["ZiggieOrigin"] == "adopted"


def test_encryption_keeps_what_else_its_rule_says(account: Account, bucket: str) -> None:
    """Which kinds of keys are refused stands in the same rule as the default algorithm."""
    encryption = account.first(s3.BucketEncryption)
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
        "BucketKeyEnabled": True,
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
    }
    wanted = {**rule, "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    with stubbed(account) as stub:
        stub.add_response("get_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": [rule]}})
        stub.add_response(
            "put_bucket_encryption",
            {},
            {
                "Bucket": bucket,
                "ServerSideEncryptionConfiguration": {"Rules": [wanted]},
                "ExpectedBucketOwner": ACCOUNT_ID,
            },
        )
        encryption.put(account.aws.writable(), {"algorithm": "AES256"}, {"algorithm": "aws:kms"})
        stub.assert_no_pending_responses()


def test_folder_within_a_folder_is_found_again(open_account: Open) -> None:
    """A listing by the first slash alone would never show it."""
    folders = ["game-assets/", "game-assets/textures/", "generated/", "backups/"]
    account = open_account({"s3_assets": {"prefixes": folders}})
    prefixes = account.first(s3.BucketPrefixes)
    account.make(prefixes)
    assert account.consider(prefixes).action is Action.KEEP
    found = account.raw("s3").list_objects_v2(Bucket=prefixes.name)["Contents"]
    assert sorted(each["Key"] for each in found) == sorted(folders)


def test_folder_that_holds_objects_needs_no_marker(account: Account, bucket: str) -> None:
    """The folder is there already, so nothing is put into it."""
    client = account.raw("s3")
    client.put_object(Bucket=bucket, Key="generated/picture.png", Body=b"theirs")
    account.put(account.first(s3.BucketPrefixes))
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["backups/", "game-assets/", "generated/picture.png"]


# --- the bucket's name, region and birth -------------------------------------------------------------


@pytest.fixture
def taken(open_account: Open) -> Account:
    """An account whose parameters name a bucket of somebody else's."""
    return open_account({"s3_assets": {"bucket": "taken-by-somebody-else"}})


def test_name_that_is_taken_is_said_with_parameter_and_a_free_name(taken: Account) -> None:
    """HeadBucket answers 403, with no word of explanation."""
    change = taken.consider(taken.first(s3.Bucket))
    assert change.action is Action.CHECK
    assert change.error is not None
    assert "s3_assets.bucket" in change.error.message
    assert "taken-by-somebody-else-123456789012-eu-north-1-an" in change.error.message


def test_name_that_is_taken_at_the_last_moment_is_said_the_same_way(taken: Account) -> None:
    """CreateBucket answers BucketAlreadyExists, when somebody was quicker."""
    bucket = taken.first(s3.Bucket)
    (outcome,) = core.apply([absent(taken, bucket)], taken.aws).outcomes
    assert outcome.status is Status.FAILED
    with pytest.raises(Exception, match=r"s3_assets\.bucket.*-an, which only this account can have"):
        bucket.put(taken.aws.writable(), {"region": "eu-north-1", "tags": {}}, None)


def absent(account: Account, bucket: s3.Bucket) -> core.Change:
    """Return the plan of somebody who saw no bucket."""
    want = {**bucket.desired(account.aws), "tags": core.ownership_tags(None)}
    return core.Change(bucket, Action.CREATE, core.differences(want, None), want=want)


def test_bucket_that_we_made_a_moment_ago_is_ours(account: Account, bucket: str) -> None:
    """BucketAlreadyOwnedByYou is no failure, and tags that stand there survive."""
    client = account.raw("s3")
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "Team", "Value": "art"}]})
    resource = account.first(s3.Bucket)
    resource.put(account.aws.writable(), {"region": "eu-north-1", "tags": core.ownership_tags(None)}, None)
    tags = {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"Team": "art", **core.ownership_tags(None)}


def test_bucket_in_another_region_is_an_error_that_names_both(account: Account) -> None:
    """A bucket cannot move: the plan says so already, and the apply writes nothing."""
    bucket = account.first(s3.Bucket)
    account.raw("s3", ELSEWHERE).create_bucket(
        Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": ELSEWHERE}
    )
    change = account.consider(bucket)
    assert change.error is not None
    assert f"is in {ELSEWHERE}, not in eu-north-1" in change.error.message
    assert account.writes(lambda: account.apply(bucket)) == []


@pytest.mark.parametrize(
    ("region", "constraint"), [("eu-north-1", {"LocationConstraint": "eu-north-1"}), ("us-east-1", {})]
)
def test_only_us_east_1_is_not_named_as_a_constraint(
    open_account: Open, region: str, constraint: dict[str, str]
) -> None:
    """S3 refuses it there, and wants it everywhere else."""
    account = open_account({"environment": {"region": region}})
    bucket = account.first(s3.Bucket)
    with stubbed(account) as stub:
        configuration = {"Tags": [{"Key": "Project", "Value": "Ziggie"}], **constraint}
        stub.add_response(
            "create_bucket", {}, {"Bucket": bucket.name, "CreateBucketConfiguration": configuration}
        )
        stub.add_response("head_bucket", {"BucketRegion": region})
        stub.add_response("get_bucket_tagging", {"TagSet": [{"Key": "Project", "Value": "Ziggie"}]})
        bucket.put(account.aws.writable(), {"region": region, "tags": {"Project": "Ziggie"}}, None)
        stub.assert_no_pending_responses()


def test_name_of_the_accounts_own_namespace_is_made_in_it(open_account: Open) -> None:
    """Such a name is refused in the shared namespace."""
    name = "ziggie-123456789012-eu-north-1-an"
    account = open_account({"s3_assets": {"bucket": name}})
    bucket = account.first(s3.Bucket)
    with stubbed(account) as stub:
        parameters = {
            "Bucket": name,
            "CreateBucketConfiguration": {"Tags": [], "LocationConstraint": "eu-north-1"},
            "BucketNamespace": "account-regional",
        }
        stub.add_response("create_bucket", {}, parameters)
        stub.add_response("head_bucket", {"BucketRegion": "eu-north-1"})
        stub.add_client_error("get_bucket_tagging", "NoSuchTagSet", http_status_code=404)
        bucket.put(account.aws.writable(), {"region": "eu-north-1", "tags": {}}, None)
        stub.assert_no_pending_responses()


def test_region_is_asked_for_where_head_bucket_does_not_tell_it(account: Account) -> None:
    """An endpoint that is not AWS's may leave the header out; no constraint means us-east-1."""
    bucket = account.first(s3.Bucket)
    with stubbed(account) as stub:
        stub.add_response("head_bucket", {})
        stub.add_response("get_bucket_location", {})
        with pytest.raises(RunbookError, match="is in us-east-1, not in eu-north-1"):
            bucket.read(account.aws.writable())


def test_write_to_a_bucket_made_a_moment_ago_is_repeated(
    account: Account, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 may not know it everywhere yet."""
    naps: list[float] = []
    monkeypatch.setattr(s3, "until_settled", with_naps(naps))
    with stubbed(account) as stub:
        stub.add_client_error("put_bucket_versioning", "NoSuchBucket", http_status_code=404)
        stub.add_client_error("put_bucket_versioning", "OperationAborted", http_status_code=409)
        stub.add_response("put_bucket_versioning", {})
        account.first(s3.BucketVersioning).put(account.aws.writable(), {"status": "Enabled"}, None)
        stub.assert_no_pending_responses()
    assert len(naps) == 2
    assert bucket


def with_naps(naps: list[float]) -> Any:
    """Return the library's own retrying, with a sleep that only takes notes."""

    def until_settled(call: Any, *codes: str, **options: Any) -> Any:
        return aws.until_settled(call, *codes, **options, sleep=naps.append)

    return until_settled


@pytest.mark.parametrize("kind", [s3.BucketVersioning, s3.BucketPolicyStatement, s3.BucketCors])
def test_an_error_that_does_not_mean_absence_is_raised(account: Account, kind: type[s3.BucketPart]) -> None:
    """AccessDenied is never taken for "not there"."""
    part = account.first(kind)
    operations = {
        s3.BucketVersioning: "get_bucket_versioning",
        s3.BucketPolicyStatement: "get_bucket_policy",
        s3.BucketCors: "get_bucket_cors",
    }
    with stubbed(account) as stub:
        stub.add_client_error(operations[kind], "AccessDenied", http_status_code=403)
        with pytest.raises(Exception, match="AccessDenied"):
            part.read(account.aws.writable())


# --- destroy -----------------------------------------------------------------------------------------


@pytest.fixture
def made(account: Account) -> s3.Bucket:
    """Our bucket, versioned, with its folders."""
    account.make(account.first(s3.BucketVersioning), account.first(s3.BucketPrefixes))
    return account.first(s3.Bucket)


def test_bucket_with_nothing_but_our_markers_may_go(account: Account, made: s3.Bucket) -> None:
    """All versions of the markers go with it, and markers of their deletion."""
    client = account.raw("s3")
    client.delete_object(Bucket=made.name, Key="generated/")
    assert made.holds_back(account.aws) is None
    account.delete(made)
    assert client.list_buckets()["Buckets"] == []


def test_object_holds_the_bucket_back(account: Account, made: s3.Bucket) -> None:
    """The sentence names how many, the first, and what to do."""
    account.raw("s3").put_object(Bucket=made.name, Key="game-assets/hero.glb", Body=b"theirs")
    reason = made.holds_back(account.aws)
    assert reason is not None
    assert "1 object versions" in reason
    assert "game-assets/hero.glb" in reason
    assert "--delete-objects" in reason


def test_old_version_and_its_delete_marker_hold_the_bucket_back(account: Account, made: s3.Bucket) -> None:
    """What was deleted can still be brought back, so it is not the runbook's to lose."""
    client = account.raw("s3")
    client.put_object(Bucket=made.name, Key="hero.glb", Body=b"theirs")
    client.delete_object(Bucket=made.name, Key="hero.glb")
    reason = made.holds_back(account.aws)
    assert reason is not None
    assert "2 object versions" in reason


def test_something_written_into_a_folders_marker_holds_the_bucket_back(
    account: Account, made: s3.Bucket
) -> None:
    """Only an empty object of that name is ours."""
    account.raw("s3").put_object(Bucket=made.name, Key="generated/", Body=b"theirs")
    assert made.holds_back(account.aws) is not None


def test_emptying_deletes_every_version(account: Account, made: s3.Bucket) -> None:
    """Only after --delete-objects."""
    client = account.raw("s3")
    for body in (b"one", b"two"):
        client.put_object(Bucket=made.name, Key="hero.glb", Body=body)
    client.delete_object(Bucket=made.name, Key="hero.glb")
    made.empty(account.aws.writable())
    listing = client.list_object_versions(Bucket=made.name)
    assert "Versions" not in listing
    assert "DeleteMarkers" not in listing


def test_more_than_a_thousand_versions_are_deleted_in_batches(account: Account) -> None:
    """DeleteObjects takes a thousand at most; the listing comes in pages."""
    bucket, sizes = account.first(s3.Bucket), []
    versions = [{"Key": f"object-{number}", "VersionId": "null", "Size": 1} for number in range(1005)]
    client = account.aws.writable().client("s3")
    client.meta.events.register(
        "provide-client-params.s3.DeleteObjects",
        lambda **event: sizes.append(len(event["params"]["Delete"]["Objects"])),
    )
    with Stubber(client) as stub:
        for start, more in ((0, True), (1000, False)):
            page: dict[str, Any] = {"IsTruncated": more, "Versions": versions[start : start + 1000]}
            marker = {"NextKeyMarker": "object-999", "NextVersionIdMarker": "null"} if more else {}
            stub.add_response("list_object_versions", page | marker)
        stub.add_response("delete_objects", {})
        stub.add_response("delete_objects", {})
        bucket.empty(account.aws.writable())
        stub.assert_no_pending_responses()
    assert sizes == [1000, 5]


def test_object_that_cannot_be_deleted_is_named(account: Account) -> None:
    """S3 answers 200, and the failure stands among the answers."""
    bucket = account.first(s3.Bucket)
    with stubbed(account) as stub:
        stub.add_response("list_object_versions", {"Versions": [{"Key": "locked", "VersionId": "1"}]})
        stub.add_response("delete_objects", {"Errors": [{"Key": "locked", "Message": "Access Denied"}]})
        with pytest.raises(Exception, match="locked could not be deleted: Access Denied"):
            bucket.empty(account.aws.writable())


def test_archive_that_is_switched_off_is_taken_away(open_account: Open, tmp_path: Path) -> None:
    """A parameter of null means that the configuration must not be there."""
    account = open_account(all_options(tmp_path))
    account.make(account.first(s3.IntelligentTieringArchive))
    without = open_account({})
    archive = without.first(s3.IntelligentTieringArchive)
    assert without.consider(archive).action is Action.DELETE
    without.apply(archive)
    assert without.consider(archive).action is Action.KEEP


def test_policy_of_others_keeps_its_id_and_version(account: Account, bucket: str) -> None:
    """Under the older version a dollar sign is only a dollar sign; ours must not change what theirs means."""
    theirs = {"Version": "2008-10-17", "Id": "theirs", "Statement": [PUBLIC_READ]}
    account.raw("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(theirs))
    account.put(account.first(s3.BucketPolicyStatement))
    found = json.loads(account.raw("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    assert (found["Version"], found["Id"], len(found["Statement"])) == ("2008-10-17", "theirs", 2)


@pytest.mark.parametrize(
    ("code", "error"), [("ExpiredToken", CredentialsEndedError), ("AccessDenied", RunbookError)]
)
def test_refusal_without_a_body_is_asked_for_its_reason(
    account: Account, code: str, error: type[Exception]
) -> None:
    """HEAD answers a bare 400 or 403; another call says whether it is the credentials or the owner."""

    def refuse(code: str, status: int) -> Any:
        parsed = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return lambda **_event: (AWSResponse("", status, HTTPHeaders(), None), parsed)

    session = account.aws.session
    session.register("before-call.s3.HeadBucket", refuse("400", 400))
    session.register("before-call.s3.GetBucketLocation", refuse(code, 400))
    with pytest.raises(error) as refused:
        account.first(s3.Bucket).read(account.aws.view())
    assert type(refused.value) is error


def test_suggested_name_is_one_that_s3_takes(account: Account) -> None:
    """A long name is cut, so that the account-regional ending still fits."""
    bucket = replace(account.first(s3.Bucket), name="n" * 63)
    suggested = str(bucket._taken(account.aws)).split("for instance ")[1].split(",")[0]  # noqa: SLF001 - its sentence
    assert len(suggested) == 63
    assert suggested.endswith("-123456789012-eu-north-1-an")
