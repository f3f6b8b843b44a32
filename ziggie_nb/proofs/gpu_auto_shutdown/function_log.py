"""What the deployed function has written about its looks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

METRIC_LINE = "CloudWatchMetrics"
"""Stands in the line that the function ends each look with, and in no other."""
COUNTS = ("Checked", "Idle", "Stopped", "Failed")


def lines(aws: Aws, log_group: str, text: str, since: datetime) -> list[str]:
    """Return the lines with a text, the oldest first.

    In double quotes a pattern is taken as it stands:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    pages = aws.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(
        logGroupName=log_group, filterPattern=f'"{text}"', startTime=int(since.timestamp() * 1000)
    )
    return [each["message"].strip() for page in found for each in page["events"]]


def last_words(aws: Aws, log_group: str, instance_id: str, since: datetime) -> str:
    """Say when it looked last, what that came to, and what it said of an instance."""
    try:
        looks = lines(aws, log_group, METRIC_LINE, since)
        said = lines(aws, log_group, instance_id, since)
    except ClientError as error:
        return f"Its log could not be read ({error_code(error)})."
    if not looks:
        return "It has not looked at all since."
    of_it = f"its log says last: {said[-1]}" if said else "its log says nothing of this instance"
    return f"{_in_words(looks[-1])}; {of_it}."


def _in_words(line: str) -> str:
    """Return what a look came to, from the line of metrics that it ends with."""
    try:
        said = json.loads(line)
        when = datetime.fromtimestamp(said["_aws"]["Timestamp"] / 1000, UTC)
        counts = ", ".join(f"{said[name]} {name.lower()}" for name in COUNTS)
    except (ValueError, KeyError, TypeError):
        return f"Its last look: {line}"
    return f"Its last look, at {when:%H:%M} UTC: {counts}"
