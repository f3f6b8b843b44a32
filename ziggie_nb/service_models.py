"""botocore's descriptions of AWS's services, read from disk once for each process, not once for each session.

EC2's alone is a few megabytes of JSON. A process that forks others hands what it has read on to all of them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from botocore import loaders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from botocore.loaders import Loader
    from botocore.session import Session


KINDS = ("service-2", "paginators-1")


@functools.cache
def _loader(data_path: str | None) -> Loader:
    """Return the one loader; it remembers what there is before threads ask.

    To find that, botocore looks into 400 folders, and every thread that asks before the first has its answer
    does so too, all in each other's way: more work than the calls to AWS themselves.
    """
    loader = loaders.create_loader(data_path)
    for kind in KINDS:
        loader.list_available_services(kind)
    return loader


def share(session: Session) -> Session:
    """Let a session use what any session of this process has read; returns the session."""
    session.lazy_register_component("data_loader", lambda: _loader(session.get_config_variable("data_path")))
    return session


def preload(session: Session, services: Iterable[str]) -> None:
    """Read what clients of these services need, and their lists, by making one of each; nothing is sent."""
    for service in services:
        client = session.create_client(service, region_name="us-east-1")
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
