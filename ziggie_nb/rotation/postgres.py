"""A database login rotated by this process, with the steps of the Lambda function and a token of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import tenacity

from ziggie_nb.functions.postgres_rotation.errors import (
    AdminSecretMissingError,
    PendingMissingError,
    RotationError,
)
from ziggie_nb.functions.postgres_rotation.logins import Pair
from ziggie_nb.functions.postgres_rotation.steps import STEPS, Rotation

from .progress import Progress, RotationBrokenOffError, RotationIsManualError, Tell, say_nothing
from .state import unfinished_version

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

# A version that was just stored may not be found for some seconds.
TRIES = 6
SECONDS_BETWEEN = 2


@dataclass(frozen=True)
class Rotated:
    """A login that was rotated.

    Attributes:
        secret: the secret's name.
        version: the id of the version that is current now.
        user: the database user it is for.
        former_user: the user it was for before, whose password still works.
        resumed: whether a rotation that had been broken off was finished.
    """

    secret: str
    version: str
    user: str
    former_user: str
    resumed: bool

    @property
    def sentence(self) -> str:
        """Say what is true now."""
        return (
            f'{self.secret} is rotated: applications log in as "{self.user}" from their next read on. The '
            f'former login, "{self.former_user}", works until the next rotation; to end it now, rotate once '
            "more when every application has read the new one."
        )


def rotate(  # noqa: PLR0913 - what it says, waits with and numbers with is the caller's or a test's to choose
    client: SecretsManagerClient,
    secret: str,
    *,
    admin_secret: str | None,
    tell: Tell = say_nothing,
    new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
    sleep: Callable[[float], None] = time.sleep,
) -> Rotated:
    """Rotate a database login, or finish the rotation that was broken off.

    Nothing in use is touched before the last step, which moves one label. Broken off anywhere, it is finished
    by being run again.

    Args:
        client: a client that may read and write the secret, and read the admin secret.
        secret: the name of the application's secret.
        admin_secret: the name of the secret whose database user may make users.
        tell: takes each step as it is done.
        new_token: makes the new version's id, 32 to 64 characters.
        sleep: waits while Secrets Manager does not show yet what was just stored.

    Raises:
        RotationIsManualError: there is no admin secret; nothing was touched.
        RotationBrokenOffError: a step failed; what is in use still works.
    """
    rotation = Rotation(client=client, secret=secret, token="", admin_secret=admin_secret)
    with _explained(secret, admin_secret):
        former = rotation.check()
        tell(Progress("check", f'The present login, "{former.user}", and the admin\'s work.'))
        unfinished = _to_resume(rotation)
        rotation = replace(rotation, token=unfinished or new_token())
        if unfinished:
            tell(Progress("resume", f"A rotation was broken off; it is finished: version {unfinished}."))
        user = Pair.of(former.user).other(former.user)
        for step in STEPS:
            _run(rotation, step, sleep)
            tell(Progress(step, _DONE[step].format(user=user, version=rotation.token)))
    return Rotated(secret, rotation.token, user, former.user, resumed=unfinished is not None)


_DONE = {
    "createSecret": "A new password is stored, beside the present one, as version {version}.",
    "setSecret": 'The database has it, for the user "{user}".',
    "testSecret": 'The user "{user}" can log in with it and has the same rights.',
    "finishSecret": "It is the current one now; the former one is kept as AWSPREVIOUS.",
}


def _to_resume(rotation: Rotation) -> str | None:
    """Return the version of a rotation that was begun and can still be finished."""
    described = rotation.client.describe_secret(SecretId=rotation.secret)
    unfinished = unfinished_version(described.get("VersionIdsToStages", {}))
    return unfinished if unfinished and replace(rotation, token=unfinished).fits() else None


def _run(rotation: Rotation, step: str, sleep: Callable[[float], None]) -> None:
    lagging = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(PendingMissingError),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_fixed(SECONDS_BETWEEN),
        sleep=sleep,
        reraise=True,
    )
    lagging(rotation.run, step)


def manual(secret: str, admin_secret: str | None) -> RotationIsManualError:
    """Return the refusal of a rotation for which there is no admin secret, whether or not one is named."""
    kept = f"the secret {admin_secret}" if admin_secret else "an admin secret"
    return RotationIsManualError(
        f"{secret} is rotated by hand, because {kept} does not exist. Nothing was touched. To let this "
        "command do it, store there the login of a database user that may make users (username, password, "
        "host, port)."
    )


@contextmanager
def _explained(secret: str, admin_secret: str | None) -> Iterator[None]:
    """Turn the function's errors into the runbook's."""
    try:
        yield
    except AdminSecretMissingError as error:
        raise manual(secret, admin_secret) from error
    except RotationError as error:
        raise RotationBrokenOffError(
            f"{secret} was not rotated; what applications use still works. {error} Then run this again: "
            f"ziggie secrets rotate {secret}"
        ) from error
