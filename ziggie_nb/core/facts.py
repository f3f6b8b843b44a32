"""Errors as run.json and a person need them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code

DENIED = "The caller lacks a permission: `ziggie permissions` prints the policy it needs."
ADVICE = {
    "AccessDenied": DENIED,
    "AccessDeniedException": DENIED,
    "UnauthorizedOperation": DENIED,
    "BucketAlreadyExists": "Choose another s3_assets.bucket in the parameters; bucket names are global.",
    "OperationAborted": "AWS is still busy with an earlier change of it; run again in a minute.",
    "Throttling": "AWS asks for fewer calls; run again in a minute.",
}
UNKNOWN_SERVICE = frozenset({"404", "NotImplemented", "501", "UnknownOperationException", "InvalidAction"})
BROKEN = frozenset({"500", "502", "503"})


@dataclass(frozen=True)
class ErrorFacts:
    """What run.json and a person need of an error: AWS's own words, and what to do next."""

    code: str
    message: str
    next: str
    operation: str | None = None
    request_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as in run.json's ``error``."""
        names = ("code", "operation", "request_id", "message", "next")
        return {name: getattr(self, name) for name in names}


def facts(error: Exception) -> ErrorFacts:
    """Turn an exception into what a person needs, with AWS's code, operation and request id."""
    if isinstance(error, ClientError):
        code = error_code(error)
        return ErrorFacts(
            code=code,
            operation=error.operation_name,
            request_id=error.response.get("ResponseMetadata", {}).get("RequestId"),
            message=_message(error) or code,
            next=ADVICE.get(code, _advice(code)),
        )
    return ErrorFacts(
        code=type(error).__name__.removesuffix("Error"),
        message=str(error),
        next="Then start the command again.",
    )


def _message(error: ClientError) -> str:
    """Return what the service says; of a web page, which only something that is not AWS sends, the title."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    page = re.search(r"<title>(.*?)</title>", message, re.DOTALL | re.IGNORECASE)
    return f"a web page instead of an answer: {page[1].strip()}" if page else message


def _advice(code: str) -> str:
    if code in UNKNOWN_SERVICE:
        return "This endpoint does not offer the operation; AWS itself does."
    if code in BROKEN:
        return "The endpoint has failed at it, or lacks it; run again in a minute."
    return "Read AWS's message above; the next run goes on from here."
