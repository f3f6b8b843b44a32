"""Why a rotation stopped, in a sentence that names what to do. None of them ever holds a secret's value."""

from __future__ import annotations


class RotationError(Exception):
    """The rotation stopped; the login in use is untouched. The base of all errors here."""


class RequestError(RotationError):
    """This rotation must not run: not staged, not enabled, overtaken by another, or not a step."""


class SecretError(RotationError):
    """A secret cannot be read, or does not hold what a rotation needs."""


class AdminSecretMissingError(SecretError):
    """There is no admin secret, so that only a person can rotate."""


class PendingMissingError(SecretError):
    """The new version holds no value yet."""


class UnreachableError(RotationError):
    """PostgreSQL does not answer, or stopped answering."""


class EncryptionError(RotationError):
    """The connection cannot be encrypted as the secret's ``sslmode`` asks."""


class LoginRefusedError(RotationError):
    """PostgreSQL does not let this user in."""


class RightsError(RotationError):
    """The admin user lacks a right it needs."""


class RoleError(RotationError):
    """The two users in the database are not a pair that may be rotated."""


class StatementRefusedError(RotationError):
    """PostgreSQL refused a statement for another reason."""
