"""The four steps, each safe to run twice and to break off anywhere.

What each must do: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .database import Session, acts_as, give
from .errors import AdminSecretMissingError, LoginRefusedError, PendingMissingError, RequestError, SecretError
from .logins import Login, Pair, follows, next_text
from .store import ABSENT, Store

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
"""The steps' names as Secrets Manager calls them, in their order."""

PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Rotation:
    """One rotation of one secret.

    Attributes:
        client: a client of Secrets Manager.
        secret: name or ARN of the application's secret.
        token: the id of the version that is to become current.
        admin_secret: name or ARN of the secret whose user may make users; None when there is none.
        rotation_token: what Secrets Manager gives a function so that it knows it again; None elsewhere.
    """

    client: SecretsManagerClient
    secret: str
    token: str
    admin_secret: str | None
    rotation_token: str | None = None

    def run(self, step: str) -> None:
        """Run a step by Secrets Manager's name for it.

        Raises:
            RotationError: it cannot be done; nothing in use was touched.
        """
        steps: dict[str, Callable[[], None]] = {
            "createSecret": self.create_secret,
            "setSecret": self.set_secret,
            "testSecret": self.test_secret,
            "finishSecret": self.finish_secret,
        }
        if step not in steps:
            raise RequestError(f'"{step}" is no step of a rotation. Known: {", ".join(STEPS)}.')
        steps[step]()

    def check(self) -> Login:
        """See that the current login and the admin's work, before anything is written; return the current."""
        current = self._current()
        next_text(current, "")
        acts_as(current)
        acts_as(self._admin(current))
        return current

    def create_secret(self) -> None:
        """Store the next login as AWSPENDING, unless it is there."""
        current = self._current()
        if self._store.pending(self.token) is not None:
            return
        # Letters, digits, - and _: nothing that a connection URL, a shell or a .env file could trip over.
        text = next_text(current, secrets.token_urlsafe(PASSWORD_BYTES))
        named = {"RotationToken": self.rotation_token} if self.rotation_token else {}
        self._store.put_pending(self.token, text, **named)

    def set_secret(self) -> None:
        """Give the other user the new password, unless it has it.

        The current login must work first: whoever can write the secret but does not know the database's
        password must not have the admin change somebody else's (a confused deputy).
        """
        current, pending = self._current(), self._pending()
        if self._works(pending, current):
            return
        self._refuse_stranger(pending, current)
        acts_as(current)
        with Session(self._admin(current)) as session, session.turn():
            # Read again now that no other rotation can come between: the last one to be stored wins.
            give(session, Pair.of(current.user), self._pending())

    def test_secret(self) -> None:
        """See that the new login works and has the rights of the present one.

        RotateSecret with RotateImmediately=False calls this step alone, for a version that it makes for the
        test and that nobody has filled: then the present logins are tried, the application's and the admin's.
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
        """
        current = self._current()
        text = self._store.pending(self.token)
        if text is None:
            self.check()
            return
        pending = Login.parse(self.secret, text)
        mine, present = acts_as(pending), acts_as(current)
        if mine != present:
            raise LoginRefusedError(
                f'The user "{pending.user}" can log in but acts as "{mine}" and not as "{present}", so that '
                "the application would lack its rights. Rotate again; if this stays, compare the settings of "
                "both users (ALTER ROLE … SET role)."
            )

    def finish_secret(self) -> None:
        """Make the new login the current one, unless it is."""
        self._pending()
        self._store.make_current(self.token)

    def fits(self) -> bool:
        """Tell whether the version that waits can still become current; an empty one can be filled."""
        text = self._store.pending(self.token)
        if text is None:
            return True
        try:
            pending = Login.parse(self.secret, text)
        except SecretError:
            return False
        return follows(pending, self._current())

    @property
    def _store(self) -> Store:
        return Store(self.client, self.secret)

    def _current(self) -> Login:
        return Login.parse(self.secret, self._store.current())

    def _pending(self) -> Login:
        text = self._store.pending(self.token)
        if text is None:
            raise PendingMissingError(f"The new version of {self.secret} holds no value yet. Rotate again.")
        return Login.parse(self.secret, text)

    def _admin(self, current: Login) -> Login:
        """Return the admin's login, if it is for the same server and for neither user of the pair."""
        if self.admin_secret is None:
            raise AdminSecretMissingError(f"{self.secret} has no admin secret to rotate it with.")
        admin = Login.parse(self.admin_secret, self._admin_text(self.admin_secret))
        pair = Pair.of(current.user)
        if admin.user in (pair.first, pair.second):
            raise SecretError(
                f'The secret {self.admin_secret} names the database user "{admin.user}", which is one of the '
                f"two that {self.secret} rotates. Give the application a user of its own."
            )
        if admin.place != current.place:
            raise SecretError(
                f"The secret {self.admin_secret} is for {admin.server}, {self.secret} for {current.server}. "
                "Write the same host and port into both, in the same words."
            )
        return admin

    def _admin_text(self, admin_secret: str) -> str | None:
        try:
            return Store(self.client, admin_secret).current()
        except SecretError as error:
            cause = getattr(error.__cause__, "response", {})
            if cause.get("Error", {}).get("Code") != ABSENT:
                raise
            raise AdminSecretMissingError(f"There is no secret {admin_secret} to rotate with.") from error

    def _works(self, pending: Login, current: Login) -> bool:
        try:
            return acts_as(pending) == acts_as(current)
        except LoginRefusedError:
            return False

    def _refuse_stranger(self, pending: Login, current: Login) -> None:
        if not follows(pending, current):
            raise RequestError(
                f'The new version of {self.secret} is for "{pending.user}" on {pending.server}, which is not '
                f'what follows "{current.user}" on {current.server}. Nothing was changed. `ziggie secrets '
                "rotate` replaces that version."
            )
