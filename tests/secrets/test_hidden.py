"""Masked values: used where they are revealed, and seen nowhere else."""

from __future__ import annotations

import copy
import csv
import io
import json
import logging
import os
import pickle
import pprint
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest
import requests
from rich.console import Console

from tests.secrets.canaries import canary, leaks
from ziggie_nb.secrets import HIDDEN, Secret, SecretFieldError, SecretValue

VALUE = canary()
NAME = "ziggie/api-keys/anthropic"


@pytest.fixture
def secret() -> Secret:
    """A secret with one canary in it, at its top and within a field."""
    return Secret(NAME, {"api_key": VALUE, "nested": {"deep": [VALUE]}}, "v1")


def displays(thing: object) -> list[str]:
    """Return everything that shows a thing, as people and libraries do."""
    handler_text = io.StringIO()
    logger = logging.Logger("shown")  # noqa: LOG001 - belongs to no tree, so that nothing else is touched
    logger.addHandler(logging.StreamHandler(handler_text))
    logger.warning("%s %r", thing, thing)
    logger.warning(thing)
    console = Console(file=io.StringIO(), width=200)
    console.print(thing, [thing], {"a": thing})
    rows = io.StringIO()
    csv.writer(rows).writerow([thing])
    frame = pd.DataFrame({"column": [thing]}, dtype=object)
    return [
        repr(thing),
        str(thing),
        f"{thing} {thing!r} {thing!s} {thing:>400}",
        "%s %r" % (thing, thing),  # noqa: UP031 - one of the ways
        "{} {:^50}".format(thing, thing),  # noqa: UP032 - another
        repr([thing]) + repr({"a": thing}) + repr((thing,)),
        pprint.pformat({"a": [thing]}),
        json.dumps({"a": thing}, default=str),
        handler_text.getvalue(),
        console.file.getvalue(),  # type: ignore[attr-defined]
        rows.getvalue(),
        frame.to_string()
        + frame.to_html()
        + frame.to_csv()
        + frame.to_json()
        + repr(frame)
        + str(frame.values),
    ]


def test_no_display_of_a_secret_shows_its_values(secret: Secret) -> None:
    """The whole secret is what a notebook's last line shows most often."""
    assert not [leak for text in displays(secret) for leak in leaks(text, VALUE)]


def test_no_display_of_a_value_shows_it(secret: Secret) -> None:
    """Also of a field, also of one that is no text."""
    for field in secret:
        assert not [leak for text in displays(secret[field]) for leak in leaks(text, VALUE)]


def test_the_canary_would_be_found() -> None:
    """What looks for leaks finds a plain value in every display, or it proves nothing."""
    assert all(leaks(text, VALUE) for text in displays(VALUE))
    assert leaks(json.dumps({"k": VALUE}), VALUE)


def test_a_table_made_of_secrets_hides_every_cell(secret: Secret) -> None:
    """Pandas makes columns of a mapping's fields."""
    frame = pd.DataFrame([secret, secret])
    shown = frame.to_string() + frame.to_html() + frame.to_csv() + frame.to_json()
    assert list(frame.columns) == ["api_key", "nested"]
    assert HIDDEN in frame.to_string()
    assert not leaks(shown, VALUE)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_refused(protocol: int, secret: Secret) -> None:
    """A pickle is a file sooner or later; the sentence says what to hand on instead."""
    for thing in (secret, secret["api_key"]):
        with pytest.raises(TypeError, match=r"never pickled\. Hand on the secret's name"):
            pickle.dumps(thing, protocol)
        with pytest.raises(TypeError, match="never pickled"):
            thing.__getstate__()


def test_json_is_refused(secret: Secret) -> None:
    """Neither the encoder in C nor the one in Python writes it."""
    for thing in (secret, secret["api_key"], dict(secret)):
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(thing)
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(thing, indent=1)


def test_copies_hide_as_well(secret: Secret) -> None:
    """A copy is the same, for there is nothing in it that changes."""
    for thing in (secret, secret["api_key"]):
        assert copy.copy(thing) is thing
        assert copy.deepcopy([thing])[0] is thing


def test_reveal_gives_the_plain_value(secret: Secret) -> None:
    """The one way out: text is text, and a secret is a dict that belongs to the caller."""
    assert secret["api_key"].reveal() == VALUE
    assert type(secret["api_key"].reveal()) is str
    fields = secret.reveal()
    fields["nested"]["deep"].clear()
    assert secret.reveal() == {"api_key": VALUE, "nested": {"deep": [VALUE]}}


def test_a_value_equals_the_text_it_holds(secret: Secret) -> None:
    """Comparing needs no revealing; hashes agree with equality."""
    assert secret["api_key"] == VALUE == secret["api_key"]
    assert secret["api_key"] == SecretValue(VALUE)
    assert secret["api_key"] != VALUE + "x"
    assert {VALUE: 1}[secret["api_key"]] == 1  # type: ignore[index]
    assert secret == {"api_key": VALUE, "nested": {"deep": [VALUE]}}
    assert secret == Secret("another", secret.reveal())
    assert secret != {"api_key": VALUE}


def test_an_empty_value_is_false() -> None:
    """`if not key:` is how applications notice that nothing was stored."""
    assert not SecretValue("")
    assert SecretValue("x")


def test_what_would_send_a_mask_fails_instead(secret: Secret) -> None:
    """An SDK that is handed a hidden value says so at once, and its error does not show it."""
    key: Any = secret["api_key"]  # a type checker would refuse each of these
    attempts: list[Callable[[], object]] = [
        lambda: httpx.Headers({"x-api-key": key}),
        lambda: requests.Request("GET", "http://localhost", headers={"x": key}).prepare(),
        lambda: os.environ.__setitem__("NEVER_SET", key),
        lambda: b"".join([b"Bearer ", key]),
        lambda: "Bearer " + key,
        lambda: io.StringIO().write(key),
    ]
    for attempt in attempts:
        with pytest.raises((TypeError, requests.exceptions.InvalidHeader), match="SecretValue"):
            attempt()


def test_an_f_string_says_what_to_do(secret: Secret) -> None:
    """Where the mask does go out, whoever reads the provider's log knows why."""
    assert f"Bearer {secret['api_key']}" == "Bearer <hidden; .reveal() gives the value>"


def test_a_missing_field_is_named_with_those_there_are(secret: Secret) -> None:
    """It is a KeyError too, so `get` and `in` work as on every mapping."""
    with pytest.raises(SecretFieldError) as caught:
        secret["apikey"]
    assert str(caught.value) == f'Secret {NAME} has no field "apikey". It has api_key, nested.'
    assert isinstance(caught.value, KeyError)
    assert secret.get("apikey") is None
    assert "apikey" not in secret
    assert "api_key" in secret
    assert len(secret) == 2


def test_a_value_pasted_in_a_fields_place_is_not_shown() -> None:
    """The console's form has two boxes, and people paste into the wrong one."""
    with pytest.raises(SecretFieldError) as caught:
        Secret(NAME, {VALUE: "", "note": ""})["api_key"]
    assert "It has note, 1 of unusual name." in str(caught.value)
    assert not leaks(str(caught.value), VALUE)


def test_a_trace_with_local_variables_hides_it(secret: Secret) -> None:
    """Crash reporters show every frame's variables."""

    def fail(key: SecretValue, whole: Secret) -> None:
        raise RuntimeError(f"cannot use {key} of {whole}")

    try:
        fail(secret["api_key"], secret)
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert HIDDEN in shown
    assert not leaks(shown, VALUE)
