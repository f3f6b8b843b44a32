"""Asking AWS on behalf of a criterion: what is not there is FAIL, what cannot be read is ERROR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from botocore import xform_name
from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, expect, failed, skipped

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

Look = Callable[["Aws", "Environment"], Finding]


class NotThereError(Exception):
    """What a criterion is about does not exist; the criterion answers FAIL.

    Attributes:
        observed: says so in words.
        evidence: the call and the code it gave.
    """

    def __init__(self, observed: str, evidence: str) -> None:
        """Keep the parts of the finding."""
        super().__init__(observed)
        self.observed = observed
        self.evidence = evidence


def fails_when_absent(look: Look) -> Look:
    """Answer FAIL where the looking meets something that is not there."""

    @wraps(look)
    def judged(aws: Aws, environment: Environment) -> Finding:
        try:
            return look(aws, environment)
        except NotThereError as missing:
            return failed(missing.observed, missing.evidence)

    return judged


def only_on_aws(look: Look) -> Look:
    """Answer SKIP on an endpoint that is not AWS's: what it says would prove nothing."""

    @wraps(look)
    def judged(aws: Aws, environment: Environment) -> Finding:
        if aws.endpoint is None:
            return look(aws, environment)
        return skipped(REAL_AWS_ONLY, endpoint_in_words(aws, environment))

    return judged


def ask(aws: Aws, call: str, absent: Mapping[str, str], **parameters: Any) -> Any:
    """Send one read, or take its answer from whoever sent it first in this gate.

    Args:
        aws: the connection.
        call: service and operation, as in evidence: ``"s3:GetBucketVersioning"``.
        absent: the service's own codes for "not there", each with what is missing then; every other
            error goes through.
        parameters: the operation's own.

    Raises:
        NotThereError: AWS answered one of the codes.
    """
    service, operation = call.split(":")
    client: Any = aws.client(cast("Any", service))
    method = xform_name(operation)

    def send() -> Any:
        try:
            if client.can_paginate(method):
                return client.get_paginator(method).paginate(**parameters).build_full_result()
            return getattr(client, method)(**parameters)
        except ClientError as error:
            code = error_code(error)
            if code in absent:
                raise NotThereError(f"{absent[code]} is not there", f"{call} → {code}") from error
            raise

    return aws.look(f"gate:{call}:{sorted(parameters.items())}", send)


def endpoint_in_words(aws: Aws, environment: Environment) -> str:
    """Name the endpoint; the sandbox's port differs from run to run and says nothing."""
    return f"endpoint → {'the sandbox' if environment.is_sandbox else aws.endpoint or 'AWS'}"


def criterion(task: str, identifier: str, title: str, expected: str, look: Look, *permissions: str) -> Check:
    """Make a criterion; one without permissions looks at this machine and the parameters only."""
    return Check(
        id=identifier,
        task=task,
        title=title,
        expected=expected,
        look=fails_when_absent(look),
        permissions=permissions,
    )


ORIGINS = ("runbook", "adopted")


def made_or_adopted(tags: Iterable[Any], call: str) -> Finding:
    """Judge tags: ours are those of something the runbook made or adopted."""
    origin = {tag["Key"]: tag["Value"] for tag in tags}.get("ZiggieOrigin")
    observed = f"there, ZiggieOrigin={origin}" if origin else "there, without the tag ZiggieOrigin"
    return expect(holds=origin in ORIGINS, observed=observed, evidence=f"{call} → ZiggieOrigin={origin}")
