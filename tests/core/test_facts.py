"""Facts of an error: what run.json and a person need of it."""

from __future__ import annotations

from botocore.exceptions import ClientError, EndpointConnectionError

from tests.core.fakes import refused
from ziggie_nb.core import facts
from ziggie_nb.errors import RunbookError, WaitingError


def test_an_answer_of_aws_keeps_its_code_operation_and_request_id() -> None:
    """AWS's support asks for exactly these."""
    assert facts(refused("NoSuchBucket", "GetBucketCors")).as_dict() == {
        "code": "NoSuchBucket",
        "operation": "GetBucketCors",
        "request_id": "R1",
        "message": "NoSuchBucket, says AWS",
        "next": "Read AWS's message above; the next run goes on from here.",
    }


def test_a_missing_permission_points_to_the_policy_that_grants_it() -> None:
    """Each of AWS's three spellings of "denied" leads to `ziggie permissions`."""
    for code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"):
        assert "`ziggie permissions`" in facts(refused(code)).next


def test_a_taken_bucket_name_points_to_its_parameter() -> None:
    """Bucket names are global; the parameter to change is named."""
    assert "s3_assets.bucket" in facts(refused("BucketAlreadyExists")).next


def test_an_operation_that_an_endpoint_lacks_is_said_to_be_its_lack() -> None:
    """An emulator's "not implemented" is no fault of the runbook."""
    assert "This endpoint does not offer the operation" in facts(refused("NotImplemented")).next


def test_an_answer_without_a_message_says_its_code() -> None:
    """HEAD answers have no body, so no message; the row is not left empty."""
    found = facts(ClientError({"Error": {"Code": "403"}}, "HeadBucket"))
    assert (found.code, found.message, found.request_id) == ("403", "403", None)


def test_an_error_on_the_way_to_aws_has_neither_operation_nor_request_id() -> None:
    """botocore's own errors are named after their class."""
    found = facts(EndpointConnectionError(endpoint_url="https://s3.example"))
    assert (found.code, found.operation, found.request_id) == ("EndpointConnection", None, None)
    assert "https://s3.example" in found.message


def test_an_error_of_the_runbook_is_its_own_sentence() -> None:
    """What the runbook can explain is not wrapped in anything."""
    assert facts(RunbookError("The disk is full.")).message == "The disk is full."
    waiting = WaitingError("AWS verifies the account.", who="AWS", where="the console", usually="a day")
    assert facts(waiting).code == "Waiting"


def test_of_a_web_page_only_the_title_is_told() -> None:
    """An emulator that lacks a service, or breaks at it, may answer with a page for a browser."""
    page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>…</h1>\n"
    answer = ClientError({"Error": {"Code": "500", "Message": page}}, "ListTagsForResource")
    found = facts(answer)
    assert found.message == "a web page instead of an answer: 500 Internal Server Error"
    assert found.next == "The endpoint has failed at it, or lacks it; run again in a minute."
