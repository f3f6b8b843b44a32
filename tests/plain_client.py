"""A client that goes around the runbook, as somebody's own script does."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config

from ziggie_nb import credentials

REGION = "eu-north-1"


@cache
def plain_client(url: str, service: str, region: str = REGION) -> Any:
    """Return a client of an emulator; whatever profile a test sets is not for this one.

    One of each is enough: making one takes longer than most tests here.
    """
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    session = credentials.sandbox_session()
    return session.create_client(service, endpoint_url=url, region_name=region, config=config)
